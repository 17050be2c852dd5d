/**
 * How name servers are written.
 */
import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as NameServer from "../../src/config/NameServer.ts"

const read = (text: string) =>
  Option.getOrUndefined(
    Option.map(NameServer.fromString(text), ({ kind, address, port, certificateName }) => [
      `${kind}://${NetAddress.formatInet(NetAddress.inetAddressUnsafe(address, port))}`,
      ...(certificateName === undefined ? [] : [certificateName])
    ])
  )

describe("NameServer", () => {
  it.each([
    ["192.0.2.53", ["udp://192.0.2.53:53"]],
    ["192.0.2.53:5353", ["udp://192.0.2.53:5353"]],
    ["2001:db8::53", ["udp://[2001:db8::53]:53"]],
    ["[2001:db8::53]", ["udp://[2001:db8::53]:53"]],
    ["udp://[2001:db8::53]:5353", ["udp://[2001:db8::53]:5353"]],
    ["tcp://127.0.0.1", ["tcp://127.0.0.1:53"]],
    ["tls://192.0.2.53", ["tls://192.0.2.53:853"]],
    ["tls://192.0.2.53:8853?name=dns.example", ["tls://192.0.2.53:8853", "dns.example"]]
  ])("reads %s", (text, expected) => {
    assert.deepStrictEqual(read(text), expected)
  })

  it.each([
    "",
    "dns.example",
    "udp://dns.example",
    "https://192.0.2.53/dns-query",
    "192.0.2.53:0",
    "192.0.2.53:65536",
    "[192.0.2.53",
    "fe80::1%eth0",
    "tcp://192.0.2.53?name=dns.example",
    "tls://192.0.2.53?name=",
    "tls://192.0.2.53?name=-",
    "tls://192.0.2.53/path",
    " 192.0.2.53"
  ])("does not read %j", (text) => {
    assert.isUndefined(read(text))
  })
})
