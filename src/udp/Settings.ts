/**
 * The settings of associations. `ListenSettings` has the setting `udp`, which switches UDP on.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Parsers from "../config/Parsers.ts"
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"

export class UdpSettings extends Section.make<UdpSettings>()("effect-socks/udp/Settings", {
  udpPorts: Setting.single<Parsers.PortRange | "any">({
    description: "Range of ports for the datagrams of clients. any leaves the choice to the system",
    metavar: "FIRST-LAST",
    read: (text) => (text === "any" ? Option.some(text) : Parsers.portRange(text)),
    expected: "a range of ports such as 40000-40999, or any",
    json: { type: "string", pattern: "^[1-9]\\d{0,4}-[1-9]\\d{0,4}$|^any$" },
    default: "any",
    defaultText: "any"
  }),
  udpIdleTimeout: Setting.duration({
    description: "Time without a datagram after which an association is ended, with its connection",
    default: "60s",
    canBeOff: true
  }),
  udpRate: Setting.count(
    "Limit of datagrams a second from a client. Datagrams beyond it are dropped",
    "off",
    "off"
  ),
  udpStrict: Setting.toggle("Require clients to declare the port that their datagrams come from", false),
  udpFullCone: Setting.toggle(
    "Pass datagrams from any sender on to the client, not only from targets that it has sent to",
    false
  ),
  udpFragments: Setting.toggle(
    "Reassemble fragmented datagrams (FRAG of RFC 1928) instead of dropping them",
    false
  ),
  advertise: Setting.single<NetAddress.IpAddress | "bound">({
    description:
      "Address that clients are told to send their datagrams to. Behind NAT it differs from the bound " +
      "one",
    metavar: "ADDRESS",
    read: (text) => {
      if (text === "bound") return Option.some(text)
      return Option.map(Result.getSuccess(NetAddress.ipFromString(text)), (ip) => NetAddress.toCanonical(ip))
    },
    expected: "an IP address, or bound",
    default: "bound",
    defaultText: "bound"
  })
}) {}
