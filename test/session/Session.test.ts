/**
 * The one line that a connection leaves in the log: all there is to know of it,
 * and nothing that is nobody's business.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import { defined } from "../../src/base/Fields.ts"
import { ConnectionRefused } from "../../src/Errors.ts"
import { Dialer } from "../../src/network/Dialer.ts"
import { connect, failingDialer, layer, type Replacements } from "../../src/testing/index.ts"
import { captured } from "../support/logs.ts"
import { credentials, greeting, request } from "../support/messages.ts"
import { settled } from "../support/streams.ts"

const users = Authenticator.layerUsers([{ name: "alice", password: Redacted.make("hunter2") }])

/** The one line about a client that sends this, stays for two seconds and leaves. */
const line = Effect.fnUntraced(function* (
  sent: ReadonlyArray<number> | string,
  replacements: Replacements = {}
) {
  const { lines, layer: logs } = captured()
  yield* Effect.gen(function* () {
    const client = yield* connect
    yield* client.send(sent)
    yield* settled
    yield* TestClock.adjust("2 seconds")
    yield* client.end
    yield* client.rest
    yield* settled
  }).pipe(Effect.scoped, Effect.provide(Layer.merge(layer(replacements), logs)))
  const about = lines.filter(({ message }) => message === "session")
  assert.lengthOf(about, 1)
  return { ...about[0]!, whole: JSON.stringify(lines) }
})

/** Those of a line, which has none without a value. */
const assertFields = (fields: object, expected: object) => assert.deepStrictEqual(fields, defined(expected))

const peer = {
  id: 1,
  client: "203.0.113.7:50000",
  via: undefined,
  listener: "198.51.100.1:1080",
  dropped: undefined
}
const unknown = {
  protocol: undefined,
  user: undefined,
  command: undefined,
  target: undefined,
  address: undefined
}

describe("Session, in the log", () => {
  it.effect("has client, target, bytes and duration", () =>
    Effect.gen(function* () {
      const sent = [
        ...greeting(0x02),
        ...credentials("alice", "hunter2"),
        ...request("target.example", 80),
        ...Buffer.from("payload")
      ]
      const { level, fields, whole } = yield* line(sent, { authenticator: users })
      assert.strictEqual(level, "Info")
      assertFields(fields, {
        ...peer,
        protocol: "SOCKS5",
        user: "alice",
        command: "CONNECT",
        target: "target.example:80",
        address: "192.0.2.1:80",
        outcome: "finished",
        reply: 0,
        sent: 7,
        received: 7,
        duration: 2000
      })
      assert.notInclude(whole, "hunter2")
      assert.notInclude(whole, "payload")
    })
  )

  it.effect("has the reason of a failure, and the reply to the client", () =>
    Effect.gen(function* () {
      const sent = [...greeting(0x00), ...request("192.0.2.1", 80)]
      const { level, fields } = yield* line(sent, { dialer: failingDialer(new ConnectionRefused()) })
      assert.strictEqual(level, "Info")
      assertFields(fields, {
        ...peer,
        protocol: "SOCKS5",
        user: undefined,
        command: "CONNECT",
        target: "192.0.2.1:80",
        address: undefined,
        outcome: "ConnectionRefused",
        reply: 5,
        sent: 0,
        received: 0,
        duration: 2000
      })
    })
  )

  it.effect("has the user of a failed login in printable form, and nothing of the password", () =>
    Effect.gen(function* () {
      const sent = [...greeting(0x02), ...credentials("al\nice\x1b", "hunter3"), ...request("192.0.2.1", 80)]
      const { level, fields, whole } = yield* line(sent, { authenticator: users })
      // It has a line of its own, of which there are not as many as someone likes.
      assert.strictEqual(level, "Debug")
      assert.deepInclude(fields, {
        outcome: "AuthenticationFailed",
        reply: 1,
        user: "al\\u{a}ice\\u{1b}"
      })
      assert.notProperty(fields, "target")
      assert.notInclude(whole, "hunter")
    })
  )

  it.effect("has an invalid target in printable form", () =>
    Effect.gen(function* () {
      const { fields } = yield* line([...greeting(0x00), ...request("a\r\nb", 80)])
      assert.deepInclude(fields, { outcome: "InvalidTarget", reply: 1, target: "a\\u{d}\\u{a}b:80" })
    })
  )

  for (const [outcome, sent, details] of [
    ["ClientGone", [], {}],
    ["UnknownProtocol", [0x00], { firstByte: 0x00 }]
  ] as const) {
    it.effect(`is at debug level for ${outcome}, which strangers can cause`, () =>
      Effect.gen(function* () {
        const { level, fields } = yield* line(sent)
        assert.strictEqual(level, "Debug")
        assertFields(fields, {
          ...peer,
          ...unknown,
          outcome,
          reply: undefined,
          ...details,
          sent: 0,
          received: 0,
          duration: 2000
        })
      })
    )
  }

  it.effect("is at info level for a client that left after its request", () =>
    Effect.gen(function* () {
      const never = Layer.succeed(Dialer, { connect: () => Effect.never })
      const sent = [...greeting(0x00), ...request("192.0.2.1", 80)]
      const { level, fields } = yield* line(sent, { dialer: never })
      assert.strictEqual(level, "Info")
      assert.deepInclude(fields, { outcome: "ClientGone", target: "192.0.2.1:80" })
    })
  )

  it.effect("names the side that reset a session", () =>
    Effect.gen(function* () {
      const { lines, layer: logs } = captured()
      yield* Effect.gen(function* () {
        const client = yield* connect
        yield* client.send([...greeting(0x00), ...request("192.0.2.1", 80)])
        yield* client.receive(12)
        yield* client.reset
        yield* settled
      }).pipe(Effect.scoped, Effect.provide(Layer.merge(layer(), logs)))
      assert.deepStrictEqual(
        lines.map(({ level, fields }) => [level, fields.outcome, fields.reply]),
        [["Info", "client reset", 0]]
      )
    })
  )

  it.effect("reports a reset by the server", () =>
    Effect.gen(function* () {
      const { lines, layer: logs } = captured()
      yield* Effect.gen(function* () {
        const client = yield* connect
        yield* client.send([...greeting(0x00), ...request("192.0.2.1", 80)])
        yield* client.receive(12)
      }).pipe(Effect.scoped, Effect.provide(Layer.merge(layer(), logs)))
      assert.deepStrictEqual(
        lines.map(({ fields }) => fields.outcome),
        ["closed by server"]
      )
    })
  )
})
