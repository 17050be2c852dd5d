/**
 * Attempts to connect to the addresses of a host, of a target as of an upstream.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as TestClock from "effect/testing/TestClock"
import { ConnectionRefused, type DialError, NetworkUnreachable } from "../../src/Errors.ts"
import { AddressHistory } from "../../src/network/AddressHistory.ts"
import * as Attempts from "../../src/routes/Attempts.ts"
import { ip } from "../support/rules.ts"

const both = [{ address: ip("2001:db8::1") }, { address: ip("192.0.2.1") }] as const

/** The address that answers at once; the others never answer. Says which ones were tried. */
const attempts = (works: string) => {
  const tried: Array<string> = []
  const connect = ({
    address
  }: {
    readonly address: NetAddress.IpAddress
  }): Effect.Effect<string, DialError> => {
    const text = NetAddress.formatIp(address)
    tried.push(text)
    return text === works ? Effect.succeed(text) : Effect.never
  }
  return { tried, connect }
}

const within = Duration.seconds(10)

describe("attempts to connect", () => {
  it.effect("wait for a family that does not work once, and begin with the other one from then on", () =>
    Effect.gen(function* () {
      const { tried, connect } = attempts("192.0.2.1")
      const first = Attempts.first("proxy.example:1080", both, connect, within)
      const waiting = yield* Effect.forkChild(Effect.scoped(first), { startImmediately: true })
      yield* TestClock.adjust("249 millis")
      assert.deepStrictEqual(tried, ["2001:db8::1"])
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(waiting), "192.0.2.1")
      tried.length = 0
      assert.strictEqual(yield* Effect.scoped(first), "192.0.2.1")
      assert.deepStrictEqual(tried, ["192.0.2.1"])
    }).pipe(Effect.provide(AddressHistory.layer))
  )

  it.effect("fail with the error from nearest to the target", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.scoped(
          Attempts.first(
            "proxy.example:1080",
            both,
            ({ address }) =>
              Effect.fail(
                NetAddress.isIpv4Address(address) ? new ConnectionRefused() : new NetworkUnreachable()
              ),
            within
          )
        )
      )
      assert.strictEqual(error._tag, "ConnectionRefused")
    })
  )
})
