/**
 * What becomes of connections from banned networks, and the line that a failed
 * login leaves.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import { Bans } from "../../src/bans/Bans.ts"
import { connect, connectWith, layer, type Replacements } from "../../src/testing/index.ts"
import { address } from "../support/guarded.ts"
import { captured } from "../support/logs.ts"
import { credentials, greeting, proxyV1 } from "../support/messages.ts"
import { settled } from "../support/streams.ts"

/** With what is logged meanwhile. */
const services = (replacements: Replacements = {}) => {
  const { lines, layer: logs } = captured()
  return { lines, all: Layer.merge(layer(replacements), logs) }
}

const ban = (network: string) =>
  Effect.flatMap(Bans, (bans) => bans.ban(IpNetwork.fromStringUnsafe(network), Duration.minutes(1), "test"))

describe("a connection from a banned network", () => {
  const { lines, all } = services()
  it.effect("is reset before its first byte, and is no session", () =>
    Effect.gen(function* () {
      yield* ban("203.0.113.7/32")
      const client = yield* connect
      assert.strictEqual(yield* client.ending, "reset")
      assert.deepStrictEqual(
        lines.map(({ level, message, fields }) => [level, message, fields]),
        [["Debug", "turned away", { client: "203.0.113.7", network: "203.0.113.7/32" }]]
      )
      const { turnedAway } = yield* Bans
      assert.strictEqual(yield* turnedAway, 1)
    }).pipe(Effect.provide(all))
  )
})

describe("a connection of a trusted proxy", () => {
  const { lines, all } = services({
    config: { proxyProtocolFrom: [IpNetwork.fromStringUnsafe("10.0.0.0/8")] }
  })
  it.effect("is reset if the client in the PROXY header is banned, and only then", () =>
    Effect.gen(function* () {
      yield* ban("203.0.113.0/24")
      yield* ban("10.0.0.0/8")
      const announce = Effect.fnUntraced(function* (source: string) {
        const client = yield* connectWith({ remote: address("10.0.0.1") })
        yield* client.send([...proxyV1(`PROXY TCP4 ${source} 198.51.100.1 50000 1080`), ...greeting(0x00)])
        return client
      })
      const good = yield* announce("192.0.2.7")
      assert.deepStrictEqual([...(yield* good.receive(2))], [0x05, 0x00])
      const bad = yield* announce("203.0.113.7")
      assert.strictEqual(yield* bad.ending, "reset")
      assert.deepStrictEqual([...(yield* bad.rest)], [])
      yield* settled
      const told = lines.find(({ fields }) => fields.outcome === "Banned")
      assert.strictEqual(told?.level, "Debug")
    }).pipe(Effect.provide(all))
  )
})

describe("a failed login", () => {
  const authenticator = Authenticator.layerUsers([{ name: "alice", password: Redacted.make("secret") }])
  const { lines, all } = services({ authenticator })
  it.effect("logs an escaped and bounded warning, and a bounded number of them", () =>
    Effect.gen(function* () {
      const logIn = Effect.fnUntraced(function* (user: string) {
        const client = yield* connect
        yield* client.send([...greeting(0x02), ...credentials(user, "guess")])
        assert.deepStrictEqual([...(yield* client.rest)], [0x05, 0x02, 0x01, 0x01])
      })
      yield* logIn(`al\n${"i".repeat(80)}ce`)
      for (let n = 0; n < 20; n++) yield* logIn("alice")
      const warnings = () => lines.filter(({ level }) => level === "Warn")
      assert.lengthOf(warnings(), 5)
      assert.deepStrictEqual(warnings()[0], {
        level: "Warn",
        message: "authentication failed",
        fields: {
          client: "203.0.113.7",
          user: `al\\u{a}${"i".repeat(57)}…`,
          listener: "198.51.100.1:1080",
          protocol: "SOCKS5",
          reason: "unknown user"
        }
      })
      yield* TestClock.adjust("10 seconds")
      yield* logIn("alice")
      assert.deepStrictEqual(
        warnings()
          .slice(5)
          .map(({ message, fields }) => [message, fields.leftOut ?? fields.user]),
        [
          ["more logins failed than were logged", 16],
          ["authentication failed", "alice"]
        ]
      )
    }).pipe(Effect.provide(all))
  )
})
