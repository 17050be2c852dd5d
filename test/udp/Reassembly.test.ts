/**
 * Fragments, in order and not, in time and not.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import * as Reassembly from "../../src/udp/Reassembly.ts"
import * as Datagram from "../../src/wire/Datagram.ts"
import { datagram } from "../support/messages.ts"
import { holds } from "../support/property.ts"

const last = 0x80

/** A queue, asked with a fragment's FRAG and data, that says what became whole of it. */
const queue = () => {
  let lost = 0
  const reassembly = Reassembly.make((count) => {
    lost += count
  })
  return {
    add: (fragment: number, data: string, now = 0, host = "192.0.2.1") => {
      const message = Uint8Array.from(datagram(host, 53, new TextEncoder().encode(data), fragment))
      const whole = reassembly.add(message, Datagram.headerSize(message), now)
      if (whole === undefined) return undefined
      assert.strictEqual(Datagram.fragment(whole), 0)
      return new TextDecoder().decode(whole.subarray(Datagram.headerSize(whole)))
    },
    lost: () => lost
  }
}

describe("Reassembly", () => {
  it("reassembles fragments, wherever they were cut", () => {
    holds(
      fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 127 }), (parts) => {
        const { add, lost } = queue()
        const wholes = parts.map((part, i) => add(i + 1 === parts.length ? last | (i + 1) : i + 1, part))
        assert.strictEqual(wholes.pop(), new TextDecoder().decode(new TextEncoder().encode(parts.join(""))))
        assert.isTrue(wholes.every((whole) => whole === undefined))
        assert.strictEqual(lost(), 0)
      })
    )
  })

  it("never throws, and counts every fragment", () => {
    const fragments = fc.array(
      fc.tuple(fc.nat(255), fc.nat(12_000), fc.constantFrom("192.0.2.1", "192.0.2.2"))
    )
    holds(
      fc.property(fragments, (all) => {
        const { add, lost } = queue()
        for (const [fragment, now, host] of all) add(fragment, "x", now, host)
        assert.isAtMost(lost(), all.length)
      })
    )
  })

  it("takes a fragment that is first and last, and position 127", () => {
    const { add } = queue()
    assert.strictEqual(add(last | 1, "all"), "all")
    for (let position = 1; position < 127; position++) assert.isUndefined(add(position, "."))
    assert.strictEqual(add(last | 127, "!"), `${".".repeat(126)}!`)
  })

  it("starts over at a lower number", () => {
    const { add, lost } = queue()
    add(1, "a")
    add(2, "b")
    add(1, "c")
    assert.strictEqual(lost(), 2)
    assert.strictEqual(add(last | 2, "d"), "cd")
  })

  it("stops at a gap, and does not take the rest as a beginning", () => {
    const { add, lost } = queue()
    add(1, "a")
    assert.isUndefined(add(3, "c"))
    assert.isUndefined(add(last | 2, "b"))
    assert.isUndefined(add(last, "0"))
    assert.strictEqual(lost(), 4)
  })

  it("ignores a duplicate", () => {
    const { add, lost } = queue()
    add(1, "a")
    add(2, "b")
    add(2, "b")
    assert.strictEqual(add(last | 3, "c"), "abc")
    assert.strictEqual(lost(), 1)
  })

  it("does not mix destinations", () => {
    const { add, lost } = queue()
    add(1, "a")
    assert.isUndefined(add(last | 2, "b", 0, "192.0.2.2"))
    assert.strictEqual(lost(), 2)
  })

  it("holds no more bytes than a datagram can have", () => {
    const { add, lost } = queue()
    const third = "x".repeat(22_000)
    add(1, third)
    add(2, third)
    assert.isUndefined(add(last | 3, third))
    assert.strictEqual(lost(), 3)
  })

  it.effect("waits five seconds for the other fragments, and no longer", () =>
    Effect.gen(function* () {
      const { add, lost } = queue()
      const clock = yield* Clock.clockWith(Effect.succeed)
      const now = () => clock.currentTimeMillisUnsafe()
      add(1, "a", now())
      yield* TestClock.adjust("4999 millis")
      assert.strictEqual(add(last | 2, "b", now()), "ab")
      add(1, "c", now())
      yield* TestClock.adjust("5 seconds")
      assert.isUndefined(add(last | 2, "d", now()))
      assert.strictEqual(lost(), 2)
    })
  )
})
