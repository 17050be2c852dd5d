/**
 * A name server, as it is written in settings:
 *
 *     192.0.2.53                          UDP, and TCP for answers that are too long for UDP
 *     udp://[2001:db8::53]:5353           the same, with another port
 *     tcp://192.0.2.53                    TCP only (RFC 7766)
 *     tls://192.0.2.53                    TLS (RFC 7858), with a certificate of that address
 *     tls://192.0.2.53?name=dns.example   TLS, with a certificate of that name
 */
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"

export interface NameServer {
  readonly kind: "udp" | "tcp" | "tls"
  readonly address: NetAddress.IpAddress
  readonly port: number
  /** The name in the certificate; undefined if the certificate has the address. */
  readonly certificateName: string | undefined
}

/** Completes the sentence "… is not …". */
export const expected =
  "the address of a name server such as 192.0.2.53, tcp://[2001:db8::53]:5353 or tls://192.0.2.53"

const ports = { udp: 53, tcp: 53, tls: 853 }

export const fromString = (text: string): Option.Option<NameServer> => {
  const [, scheme = "udp", place, name] =
    /^(?:(udp|tcp|tls):\/\/)?([^/?#@]+?)(?:\?name=([^?]+))?$/.exec(text) ?? []
  if (place === undefined) return Option.none()
  const kind = scheme as keyof typeof ports
  const certificate = name === undefined ? Result.succeed(undefined) : Host.domainNameFromString(name)
  if (Result.isFailure(certificate) || (name !== undefined && kind !== "tls")) return Option.none()
  return Option.map(placeOf(place, ports[kind]), ({ address, port }) => ({
    kind,
    address,
    port,
    certificateName: certificate.success
  }))
}

/** An address alone, or with a port; IPv6 with a port in brackets. */
const placeOf = (text: string, usual: number) => {
  const alone = NetAddress.ipFromString(text.replace(/^\[(.*)\]$/, "$1"))
  if (Result.isSuccess(alone)) return Option.some({ address: alone.success, port: usual })
  const withPort = NetAddress.inetAddressFromString(text)
  return Result.isSuccess(withPort) && withPort.success.port > 0
    ? Option.some({ address: withPort.success.address, port: withPort.success.port })
    : Option.none()
}
