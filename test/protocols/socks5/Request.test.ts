/**
 * In which order a request is checked, which decides what a client is told of
 * one that is wrong in two ways.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Request from "../../../src/protocols/socks5/Request.ts"
import * as Target from "../../../src/wire/Target.ts"
import { fields } from "../../support/errors.ts"
import { request } from "../../support/messages.ts"
import { accepted, settled } from "../../support/streams.ts"

const reading = Effect.fnUntraced(function* (sent: ReadonlyArray<number>) {
  const { peer: near, client } = yield* accepted
  yield* near.send(sent)
  yield* settled
  const result = yield* Effect.result(Request.read(client))
  yield* near.reset
  return result
})

const failing = (sent: ReadonlyArray<number>) =>
  reading(sent).pipe(Effect.flatMap(Effect.fromResult), Effect.flip, Effect.map(fields))

describe("Request", () => {
  it.effect("reads command and target", () =>
    Effect.gen(function* () {
      for (const [host, expected] of [
        ["192.0.2.1", "192.0.2.1:443"],
        ["Example.COM.", "example.com:443"]
      ] as const) {
        const { command, target } = yield* Effect.flatMap(reading(request(host, 443)), Effect.fromResult)
        assert.deepStrictEqual([command, Target.format(target)], ["CONNECT", expected])
      }
    })
  )

  it.effect("reports an unknown command before an invalid host", () =>
    Effect.gen(function* () {
      for (const command of [0x00, 0x04, 0xf0, 0xff]) {
        const expected = { _tag: "CommandNotSupported", command }
        assert.deepStrictEqual(yield* failing(request("192.0.2.1", 80, command)), expected)
        assert.deepStrictEqual(yield* failing(request("", 80, command)), expected)
        assert.deepStrictEqual(yield* failing(request("bad host\0", 0, command)), expected)
      }
    })
  )

  it.effect("reports an unknown address type first, because the message has no known end", () =>
    Effect.gen(function* () {
      for (const command of [0x01, 0x02, 0xff]) {
        assert.deepStrictEqual(yield* failing([0x05, command, 0x00, 0x02]), {
          _tag: "AddressTypeNotSupported",
          addressType: 0x02
        })
      }
    })
  )

  it.effect("leaves port 0 to the commands, and accepts any target of ASSOCIATE", () =>
    Effect.gen(function* () {
      for (const [sent, expected] of [
        [request("192.0.2.1", 0), "192.0.2.1:0"],
        [request("192.0.2.1", 0, 0x02), "192.0.2.1:0"],
        [request("", 80, 0x03), "0.0.0.0:0"]
      ] as const) {
        const { target } = yield* Effect.flatMap(reading(sent), Effect.fromResult)
        assert.strictEqual(Target.format(target), expected)
      }
    })
  )

  it.effect("refuses a target without a possible address", () =>
    Effect.gen(function* () {
      for (const sent of [request("", 80), request("127.1", 80)]) {
        assert.strictEqual((yield* failing(sent))._tag, "InvalidTarget")
      }
    })
  )

  it.effect("refuses another version than that of the greeting", () =>
    Effect.gen(function* () {
      for (const version of [0x00, 0x01, 0x04]) {
        assert.strictEqual((yield* failing([version]))._tag, "MalformedRequest")
      }
    })
  )

  it.effect("does not compile without an authenticated identity", () =>
    Effect.gen(function* () {
      const { peer, client } = yield* accepted
      // @ts-expect-error Only a passed authentication makes one.
      const unproven: Parameters<typeof Request.read>[0] = { client, identity: { user: "alice" } }
      assert.isDefined(unproven)
      yield* peer.reset
    })
  )
})
