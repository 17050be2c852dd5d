/**
 * How rules are written, and what is said of those that cannot be read.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Conditions from "../../src/config/Conditions.ts"
import * as Rule from "../../src/config/Rule.ts"

const decode = Schema.decodeUnknownResult(Rule.schema)

const strict = { onExcessProperty: "error", errors: "all" } as const

const read = (written: unknown): Rule.Written => Result.getOrThrow(decode(written, strict))

/** Each condition of a rule, with its values as `explain` shows them. */
const conditionsOf = (rule: Rule.Written) =>
  Conditions.list.flatMap(([key, { format }]) => (rule[key] ? [[key, rule[key].map(format)]] : []))

const complaint = (written: unknown) => {
  const result = decode(written, strict)
  return Result.isFailure(result) ? String(result.failure.message) : "it was read"
}

describe("Rule", () => {
  it.each<readonly [object]>([
    [{ allow: true }],
    [{ deny: true }],
    [{ name: "no mail", deny: "we send no mail", ports: [25, 465, "587-588"] }],
    [{ allow: true, users: ["alice", "bob"], groups: "staff" }],
    [{ allow: true, clients: ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8"] }],
    [{ allow: true, listeners: ["127.0.0.1:1080", "[::1]:1080", "0.0.0.0:1080", "unix:/run/socks"] }],
    [{ allow: true, commands: ["connect", "bind", "associate", "forward"] }],
    [{ allow: true, protocols: ["socks5", "socks4", "http"] }],
    [{ allow: true, to: ["*.example.com", "api.example.org:443", "10.0.0.0/8", "[fd00::/8]:22", "**", "*"] }],
    [{ allow: true, "to-file": "names.txt" }],
    [{ allow: true, when: "mon,tue 08:00-18:00", timezone: "Europe/Berlin" }],
    [{ allow: true, when: ["sat,sun", "22:00-06:00"], timezone: "+02:00" }],
    [{ allow: true, limits: { sessions: 5 } }]
  ])("reads %j", (written) => {
    const rule = read(written)
    const values = Object.entries(written).filter(([key]) => Conditions.list.some(([other]) => other === key))
    assert.sameDeepMembers(
      conditionsOf(rule),
      values.map(([key, value]) => [key, [value].flat().map(String)])
    )
    assert.hasAllKeys(rule, Object.keys(written))
  })

  it.each<readonly [object, object]>([
    [
      { allow: true, ports: "443" },
      { allow: true, ports: 443 }
    ],
    [
      { allow: true, users: ["alice"] },
      { allow: true, users: "alice" }
    ],
    [
      { allow: true, to: "BÜCHER.example." },
      { allow: true, to: "xn--bcher-kva.example" }
    ],
    [
      { allow: true, clients: "::ffff:10.0.0.0/104" },
      { allow: true, clients: "10.0.0.0/8" }
    ],
    [
      { allow: true, listeners: "tls:127.0.0.1:1080" },
      { allow: true, listeners: "127.0.0.1:1080" }
    ]
  ])("reads %j as %j", (written, expected) => {
    assert.deepStrictEqual(read(written), read(expected))
  })

  it.each<readonly [unknown, ReadonlyArray<string>]>([
    [{}, ["either allow: true, or deny: true or its reason"]],
    [{ allow: true, deny: "no" }, ["either allow: true, or deny"]],
    [{ allow: false }, ["Expected true", "allow"]],
    [{ deny: false }, ["Expected true", "deny"]],
    [{ deny: "" }, ["deny"]],
    [{ allow: true, user: "alice" }, ["excess", "user"]],
    [{ allow: true, toFile: "names.txt" }, ["excess", "toFile"]],
    [{ allow: true, routes: "tor" }, ["excess", "routes"]],
    // Nothing goes by the route of a rule that denies.
    [{ deny: true, route: "tor" }, ["is for a rule with allow: true", "route"]],
    [{ allow: true, users: [] }, ["one value or more", "users"]],
    [{ allow: true, clients: "10.0.0.1/8" }, ["a network such as 10.0.0.0/8", "clients"]],
    [{ allow: true, clients: "10.0.0.0/8:25" }, ["a network such as 10.0.0.0/8", "clients"]],
    [{ allow: true, clients: "example.com" }, ["a network such as 10.0.0.0/8", "clients"]],
    [{ allow: true, listeners: "localhost:1080" }, ["a listener as the log has it", "listeners"]],
    [{ allow: true, listeners: "127.0.0.1:1080?udp=false" }, ["a listener as the log has it"]],
    [{ allow: true, listeners: "systemd" }, ["a listener as the log has it"]],
    [{ allow: true, commands: "CONNECT" }, ["connect", "commands"]],
    [{ allow: true, protocols: "socks" }, ["socks5", "protocols"]],
    [{ allow: true, to: ["example.com", "exa*mple.com"] }, ["*.example.com for those below it", "[1]"]],
    [{ allow: true, ports: 0 }, ["a port such as 443", "ports"]],
    [{ allow: true, ports: "9000-8000" }, ["a port such as 443", "ports"]],
    [{ allow: true, ports: 65536 }, ["a port such as 443", "ports"]],
    [{ allow: true, when: "daily" }, ["mon-fri 08:00-18:00", "when"]],
    [{ allow: true, when: "sat", timezone: "Europe/Atlantis" }, ["Europe/Berlin", "timezone"]],
    [{ allow: true, timezone: "Europe/Berlin" }, ["when", "timezone"]],
    [{ allow: true, limits: { sessions: -1 } }, ["a whole number above 0", "limits"]]
  ])("says of %j: %j", (written, parts) => {
    for (const part of parts) assert.include(complaint(written), part)
  })
})
