/**
 * The metadata services of clouds. A metadata service gives the machine's identity and keys
 * to every connection from the machine, also to connections for clients of this server.
 * Some services have public addresses, which work only inside the cloud's network.
 */
import * as Option from "effect/Option"
import * as IpBits from "../base/IpBits.ts"
import * as Parsers from "../config/Parsers.ts"

export interface Service {
  readonly prefix: IpBits.Prefix
  readonly kind: "metadata"
  /** Completes the sentence "… is …". */
  readonly is: string
}

/** The service at this address; undefined if there is none. */
export const serviceAt = (words: IpBits.IpBits): Service | undefined => {
  for (const service of words.isIpv4 ? ipv4 : ipv6) if (IpBits.contains(service.prefix, words)) return service
  return undefined
}

/** An entry for one address, or for a network that has only the service. */
const entry = (network: string, cloud: string): Service => ({
  prefix: IpBits.prefix(Option.getOrThrow(Parsers.network(network))),
  kind: "metadata",
  is: `the metadata service of ${cloud}`
})

const ipv4 = [
  entry("169.254.169.254", "AWS, Google Cloud, Azure and others"),
  entry("169.254.170.2", "AWS ECS"),
  entry("169.254.170.23", "AWS EKS"),
  entry("168.63.129.16", "Azure"),
  entry("192.0.0.192", "Oracle Cloud"),
  entry("100.100.100.200", "Alibaba Cloud"),
  entry("100.96.0.96", "Volcengine"),
  entry("169.254.0.23", "Tencent Cloud"),
  entry("169.254.42.42", "Scaleway")
]

const ipv6 = [
  entry("fd00:ec2::23", "AWS EKS"),
  // The network also has the name, time and Lambda services.
  entry("fd00:ec2::/32", "AWS"),
  entry("fd00:c1::a9fe:a9fe", "Oracle Cloud"),
  entry("fd20:ce::254", "Google Cloud"),
  entry("fd00:42::42", "Scaleway"),
  entry("fd00:a9fe:a9fe::1", "Akamai"),
  entry("fe80::a9fe:a9fe", "OpenStack and others")
]
