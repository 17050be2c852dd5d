/**
 * What a machine has for addresses, and when that is read.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as IpBits from "../../src/base/IpBits.ts"
import { LocalAddresses } from "../../src/policy/LocalAddresses.ts"

const ip = NetAddress.ipFromStringUnsafe
const words = (text: string) => IpBits.ofAddress(ip(text))

/** A machine whose addresses change, and how often they were read. */
const machine = (...initially: ReadonlyArray<string>) => {
  const state = { addresses: initially, reads: 0, isBroken: false }
  const read = () => {
    state.reads++
    if (state.isBroken) throw new Error("ENOBUFS")
    return state.addresses.map(ip)
  }
  return { state, read }
}

describe("LocalAddresses", () => {
  it.effect("tells its addresses from all others", () =>
    Effect.gen(function* () {
      const { has } = yield* LocalAddresses
      for (const own of ["10.0.0.7", "8.8.4.4", "2606:4700::7", "2606:4700:1::7", "::1"]) {
        assert.isTrue(has(words(own), 0), own)
      }
      for (const other of ["10.0.0.8", "2606:4700:2::7", "2606:4700::7:7", "0.0.0.7", "::a00:7", "0.0.0.1"]) {
        assert.isFalse(has(words(other), 0), other)
      }
    }).pipe(
      Effect.provide(
        LocalAddresses.layerFixed(["10.0.0.7", "8.8.4.4", "2606:4700::7", "2606:4700:1::7", "::1"].map(ip))
      )
    )
  )

  it("reads at the start, and again for a look-up 5 seconds later", () => {
    const { state, read } = machine("10.0.0.7")
    const { has } = LocalAddresses.make(read, 1000)
    assert.strictEqual(state.reads, 1)
    for (let i = 0; i < 1000; i++) assert.isTrue(has(words("10.0.0.7"), 1000 + i))
    state.addresses = ["10.0.0.8"]
    assert.isTrue(has(words("10.0.0.7"), 5999))
    assert.strictEqual(state.reads, 1)
    assert.isFalse(has(words("10.0.0.7"), 6000))
    assert.isTrue(has(words("10.0.0.8"), 6001))
    assert.strictEqual(state.reads, 2)
  })

  it("is not held up by a clock that was set back", () => {
    const { state, read } = machine("10.0.0.7")
    const { has } = LocalAddresses.make(read, 1_000_000)
    state.addresses = ["10.0.0.8"]
    assert.isTrue(has(words("10.0.0.8"), 500))
    assert.isTrue(has(words("10.0.0.8"), 501))
    assert.strictEqual(state.reads, 2)
  })

  it("keeps what it has while the system does not tell, and asks no more often", () => {
    const { state, read } = machine("10.0.0.7")
    const { has } = LocalAddresses.make(read, 0)
    state.isBroken = true
    for (const now of [5000, 5001, 9999]) assert.isTrue(has(words("10.0.0.7"), now))
    assert.strictEqual(state.reads, 2)
    assert.throws(() => LocalAddresses.make(read, 0))
  })
})
