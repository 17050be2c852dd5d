import * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import * as TargetPattern from "../TargetPattern.ts"
import * as Condition from "./Condition.ts"

export const clients = Condition.make({
  item: Condition.value<IpNetwork.IpNetwork>({
    is: (u): u is IpNetwork.IpNetwork => Condition.isObject(u),
    read: (text) =>
      Option.flatMap(TargetPattern.fromString(text), ({ host, ports }) =>
        host._tag === "Network" && ports === undefined ? Option.some(host.network) : Option.none()
      ),
    write: (network) => TargetPattern.format({ host: { _tag: "Network", network } }),
    expected: "a network such as 10.0.0.0/8 or fd00::/8, without bits behind its prefix, or an address"
  }),
  description: "Where the client is",
  format: IpNetwork.format,
  holds: (network: IpNetwork.IpNetwork, { client }) =>
    client !== undefined && IpNetwork.contains(network, client),
  includes: IpNetwork.containsNetwork
})
