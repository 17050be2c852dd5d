/**
 * A conversation in SOCKS4: one message, one answer.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import { ConnectionRefused } from "../../src/Errors.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { connect, failingDialer, layer } from "../../src/testing/index.ts"
import { utf8 } from "../support/bytes.ts"

const request = (command: number, address: ReadonlyArray<number>, ...texts: ReadonlyArray<string>) => [
  ...[0x04, command, 0, 80, ...address],
  ...texts.flatMap((text) => [...utf8(text), 0])
]
const granted = [0x00, 0x5a, 0x04, 0x38, 198, 51, 100, 1]
const rejected = [0x00, 0x5b, 0, 0, 0, 0, 0, 0]

const users = Authenticator.layerUsers([{ name: "alice", password: Redacted.make("secret") }])

describe("Socks4", () => {
  it.effect("connects to an address, logs the user id without making it a user, and relays bytes", () =>
    Effect.gen(function* () {
      const client = yield* connect
      yield* client.send([...request(0x01, [192, 0, 2, 1], "fred"), ...utf8("early")])
      assert.deepStrictEqual([...(yield* client.receive(8))], granted)
      assert.strictEqual(new TextDecoder().decode(yield* client.receive(5)), "early")
      const [session] = yield* (yield* SessionRegistry).list
      assert.deepStrictEqual(
        [session?.admitted?.identity, session?.unverifiedUser],
        [{ user: undefined }, "fred"]
      )
    }).pipe(Effect.provide(layer()))
  )

  it.effect("connects to a name, which it resolves", () =>
    Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(request(0x01, [0, 0, 0, 7], "", "target.example"))
      assert.deepStrictEqual([...(yield* client.receive(8))], granted)
    }).pipe(Effect.provide(layer()))
  )

  for (const [what, sent, services] of [
    [
      "a failed connection",
      request(0x01, [192, 0, 2, 1], ""),
      layer({ dialer: failingDialer(new ConnectionRefused()) })
    ],
    ["a name that is none", request(0x01, [0, 0, 0, 1], "", "127.1"), layer()],
    ["0.0.0.0, which is nobody's address", request(0x01, [0, 0, 0, 0], ""), layer()],
    ["port 0", [0x04, 0x01, 0, 0, 192, 0, 2, 1, 0], layer()],
    ["another command", request(0x03, [192, 0, 2, 1], ""), layer()],
    ["BIND, unless it is enabled", request(0x02, [192, 0, 2, 1], ""), layer()],
    ["a user id that never ends", request(0x01, [192, 0, 2, 1]).concat(Array(256).fill(0x61)), layer()],
    [
      "everyone where a password is asked",
      request(0x01, [192, 0, 2, 1], "alice"),
      layer({ authenticator: users })
    ]
  ] as const) {
    it.effect(`rejects ${what}`, () =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(sent)
        assert.deepStrictEqual([...(yield* client.rest)], rejected)
      }).pipe(Effect.provide(services))
    )
  }
})
