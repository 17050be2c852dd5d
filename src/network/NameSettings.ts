/**
 * The settings of names: the name servers, names of one's own, and the order of addresses.
 */
import type * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import * as NameServer from "../config/NameServer.ts"
import * as Parsers from "../config/Parsers.ts"
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"

export class NameSettings extends Section.make<NameSettings>()("effect-socks/network/NameSettings", {
  dns: Setting.many<NameServer.NameServer>({
    description:
      "Name server to ask, in place of those of this machine: ADDRESS, tcp://ADDRESS or tls://ADDRESS, with " +
      ":PORT if wanted. Those of the next kind are asked if one kind fails. tls: checks that the certificate " +
      "is of the address, or with ?name=NAME behind it of that name",
    metavar: "SERVER",
    read: NameServer.fromString,
    expected: NameServer.expected,
    default: [],
    defaultText: "none",
    separator: /[\s,]+/
  }),
  staticHosts: Setting.many<Parsers.HostEntry>({
    description:
      "Name with an address of its own, before the hosts file and the name servers. A name can have several " +
      "addresses. They are judged as all others",
    metavar: "NAME=ADDRESS",
    read: Parsers.hostEntry,
    expected: "a name and an address, such as db.example=10.0.0.5",
    default: [],
    defaultText: "none",
    separator: /[\s,]+/
  }),
  nat64: Setting.single<"auto" | "off" | IpNetwork.IpNetwork>({
    description:
      "Prefix of a NAT64 translator, by which IPv4 addresses are reached where this machine has no IPv4. auto finds it by " +
      "the name ipv4only.arpa. Addresses under a prefix that is given are judged as the IPv4 addresses that they " +
      "stand for",
    metavar: "PREFIX",
    read: (text) => (text === "auto" || text === "off" ? Option.some(text) : Parsers.translationPrefix(text)),
    expected:
      "auto, off, or a network of IPv6 with a prefix of 32, 40, 48, 56, 64 or 96 bits, such as 64:ff9b::/96",
    default: "auto",
    defaultText: "auto"
  }),
  prefer: Setting.word({
    description: "Family of addresses that is tried first, where a name has both",
    metavar: "FAMILY",
    words: ["ipv6", "ipv4"],
    default: "ipv6"
  })
}) {}
