import * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import * as TargetPattern from "../TargetPattern.ts"
import * as Condition from "./Condition.ts"

const kind = "client"

const fromString = (text: string): Option.Option<IpNetwork.IpNetwork> =>
  Option.flatMap(TargetPattern.fromString(text), ({ host, ports }) =>
    host._tag === "Network" && ports === undefined ? Option.some(host.network) : Option.none()
  )

export const clients = Condition.make({
  item: Condition.value<IpNetwork.IpNetwork>({
    read: fromString,
    expected: "a network such as 10.0.0.0/8 or fd00::/8, without bits behind its prefix, or an address"
  }),
  description: "Where the client is",
  format: IpNetwork.format,
  term: {
    about: "request",
    numberOf: (network, symbols) => symbols.intern(kind, IpNetwork.format(network), network),
    valueOf: (number, symbols) => Option.getOrThrow(fromString(symbols.textOf(number))),
    facts: (index) => {
      const networks = index.of(kind)
      return networks && (({ client }, _, found) => client !== undefined && networks.match(client, found))
    }
  },
  includes: IpNetwork.containsNetwork
})
