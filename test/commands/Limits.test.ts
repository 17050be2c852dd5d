/**
 * Names whose addresses are allowed by different rules: the rule of the address
 * that is used is the one that counts.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import type * as Limits from "../../src/config/Limits.ts"
import * as TargetPattern from "../../src/config/TargetPattern.ts"
import { ConnectionRefused, type DialError, NetworkUnreachable } from "../../src/Errors.ts"
import { Dialer } from "../../src/network/Dialer.ts"
import { Resolver } from "../../src/network/Resolver.ts"
import { connect, dialer, layer } from "../../src/testing/index.ts"
import { message } from "../support/http.ts"
import { greeting, request } from "../support/messages.ts"
import { settled } from "../support/streams.ts"

const free = "2a00::1"
const limited = "9.0.0.1"

const rules = (limits: Limits.Limits, ofFree?: Limits.Limits) => [
  { name: "free", allow: true, to: to("2a00::/16"), ...(ofFree && { limits: ofFree }) } as const,
  { name: "limited", allow: true, to: to("9.0.0.0/8"), limits } as const
]

const to = (text: string) => [Option.getOrThrow(TargetPattern.fromString(text))]

/** `failing` says of which addresses nothing comes. */
const services = (
  failing: Readonly<Record<string, DialError>>,
  limits: Limits.Limits,
  ofFree?: Limits.Limits
) => {
  const dialled: Array<string> = []
  const echoes = Effect.provide(
    Dialer,
    dialer(({ duplex }) => duplex.pipe(duplex))
  )
  const dialling = Layer.effect(
    Dialer,
    Effect.map(echoes, (good) => ({
      connect: (address, port) => {
        const text = NetAddress.formatIp(address)
        dialled.push(text)
        const error = failing[text]
        return error ? Effect.fail(error) : good.connect(address, port)
      }
    }))
  )
  const resolver = Resolver.layerFixed({
    "both.example": [NetAddress.ipFromStringUnsafe(free), NetAddress.ipFromStringUnsafe(limited)],
    "pair.example": [NetAddress.ipFromStringUnsafe(limited), NetAddress.ipFromStringUnsafe("9.0.0.2")]
  })
  const config = { rules: rules(limits, ofFree), logDecisions: "none" } as const
  return { dialled, layer: layer({ config, dialer: dialling, resolver }) }
}

/** The reply to a request for this host. */
const asks = Effect.fnUntraced(function* (host: string) {
  const client = yield* connect
  yield* client.send([...greeting(0x00), ...request(host, 443)])
  const [, , , code] = yield* client.receive(4)
  return { client, code }
})

const down = { [free]: new NetworkUnreachable() }

describe("A rule with limits", () => {
  it.effect("counts the session if its address answers, although another rule comes first", () => {
    const { dialled, layer } = services(down, { sessions: 1 })
    return Effect.gen(function* () {
      const first = yield* asks("both.example")
      assert.strictEqual(first.code, 0x00)
      assert.deepStrictEqual(dialled.splice(0), [free, limited])
      const second = yield* asks("both.example")
      assert.strictEqual(second.code, 0x02)
      assert.deepStrictEqual(dialled.splice(0), [free])
      yield* first.client.reset
      yield* settled
      assert.strictEqual((yield* asks("both.example")).code, 0x00)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is skipped when it is full, for an address of another rule", () => {
    const { dialled, layer } = services({}, { sessions: 1 }, { sessions: 1 })
    return Effect.gen(function* () {
      assert.strictEqual((yield* asks(free)).code, 0x00)
      assert.strictEqual((yield* asks("both.example")).code, 0x00)
      assert.deepStrictEqual(dialled.splice(0), [free, limited])
      assert.strictEqual((yield* asks("both.example")).code, 0x02)
      assert.deepStrictEqual(dialled, [])
    }).pipe(Effect.provide(layer))
  })

  it.effect("does not count a session that uses an address of another rule", () => {
    const { layer } = services({}, { sessions: 1 })
    return Effect.gen(function* () {
      for (let i = 0; i < 3; i++) assert.strictEqual((yield* asks("both.example")).code, 0x00)
      assert.strictEqual((yield* asks(limited)).code, 0x00)
    }).pipe(Effect.provide(layer))
  })

  it.effect("counts a session once, however many of its addresses are tried", () => {
    const { dialled, layer } = services(
      { [limited]: new ConnectionRefused() },
      { sessionRate: 1, sessions: 1 }
    )
    return Effect.gen(function* () {
      assert.strictEqual((yield* asks("pair.example")).code, 0x00)
      assert.deepStrictEqual(dialled.splice(0), [limited, "9.0.0.2"])
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* asks("pair.example")).code, 0x02)
      assert.deepStrictEqual(dialled, [])
    }).pipe(Effect.provide(layer))
  })

  it.effect("reports the limit to a client of HTTP, and not that another address is down", () => {
    const { dialled, layer } = services(down, { sessions: 1 })
    return Effect.gen(function* () {
      yield* asks(limited)
      for (const line of ["CONNECT both.example:443 HTTP/1.1", "GET http://both.example/ HTTP/1.1"]) {
        const client = yield* connect
        yield* client.send(message([line, "Host: both.example"]))
        assert.strictEqual(Buffer.from(yield* client.receive(12)).toString("latin1", 9), "429")
      }
      assert.notInclude(dialled.slice(1), limited)
    }).pipe(Effect.provide(layer))
  })
})
