/**
 * A listening address that is not there yet.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import * as ListenAddress from "../../src/config/ListenAddress.ts"
import * as AddressWait from "../../src/server/AddressWait.ts"
import { captured } from "../support/logs.ts"

const at = (text: string) => Option.getOrThrow(ListenAddress.fromString(text))

describe("a listening address", () => {
  it.effect("is waited for until it exists, with a line in the log", () => {
    const { lines, layer } = captured()
    let isThere = false
    const probe = () => Effect.sync(() => (isThere ? undefined : "EADDRNOTAVAIL"))
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(AddressWait.all([at("10.9.8.7:1080?wait=30s")], probe), {
        startImmediately: true
      })
      yield* TestClock.adjust("20 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      isThere = true
      yield* TestClock.adjust("1 second")
      assert.isDefined(fiber.pollUnsafe())
      assert.deepStrictEqual(
        lines.map(({ level, message, fields }) => [level, message, fields.address]),
        [
          ["Warn", "a listening address is not available yet: waiting for it", "10.9.8.7:1080"],
          ["Info", "a listening address is available", "10.9.8.7:1080"]
        ]
      )
    }).pipe(Effect.provide(layer))
  })

  it.effect("is waited for no longer than its option says", () =>
    Effect.gen(function* () {
      const probe = () => Effect.succeed("EADDRNOTAVAIL")
      const fiber = yield* Effect.forkChild(
        AddressWait.all([at("tls:10.9.8.7:1080?udp=true&wait=30s")], probe)
      )
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(fiber)
    })
  )

  it.effect("is not waited for without the option, or if it is in use", () =>
    Effect.gen(function* () {
      yield* AddressWait.all([at("10.9.8.7:1080")], () => Effect.die("not asked"))
      yield* AddressWait.all([at("10.9.8.7:1080?wait=1h")], () => Effect.succeed("EACCES"))
    })
  )

  it("is formatted as it was written, and must be a possible address", () => {
    const text = "10.9.8.7:1080?udp=false&wait=30s"
    assert.strictEqual(ListenAddress.format(at(text)), text)
    for (const text of ["unix:/a?wait=1s", "systemd?wait=1s", "1.2.3.4:5?wait=soon", "1.2.3.4:5?wait="]) {
      assert.isTrue(Option.isNone(ListenAddress.fromString(text)), text)
    }
  })
})
