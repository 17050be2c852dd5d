/**
 * Capsules, in pieces of any size.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { CapsuleReader, datagram } from "../../src/wire/Capsule.ts"
import { holds } from "../support/property.ts"

/** The payloads in these pieces, and what is wrong with them. */
const read = (pieces: ReadonlyArray<Uint8Array>) => {
  const reader = new CapsuleReader()
  const payloads: Array<Array<number>> = []
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const size = reader.take(piece.subarray(at), (payload) => payloads.push([...payload]))
      if (typeof size === "string") return size
      assert.isAbove(size, 0)
      at += size
    }
  }
  return payloads
}

describe("CapsuleReader", () => {
  it("reads the datagrams that were written, wherever they are cut, and no other capsules", () => {
    const other = fc
      .tuple(
        fc.constantFrom([1], [0x40, 0x20], [0x80, 0, 1, 0], [0xc0, 0, 0, 0, 0, 0, 1, 0]),
        fc.uint8Array({ maxLength: 60 })
      )
      .map(([type, value]) => ({ bytes: Uint8Array.of(...type, value.length, ...value), payload: undefined }))
    const ours = fc
      .uint8Array({ maxLength: 300 })
      .map((payload) => ({ bytes: datagram(payload), payload: [...payload] as Array<number> | undefined }))
    holds(
      fc.property(
        fc.array(fc.oneof(ours, other), { maxLength: 8 }),
        fc.array(fc.nat(40), { maxLength: 40 }),
        (capsules, cuts) => {
          const whole = Buffer.concat(capsules.map(({ bytes }) => bytes))
          const pieces: Array<Uint8Array> = []
          let at = 0
          for (const cut of cuts) {
            pieces.push(whole.subarray(at, at + cut))
            at += cut
          }
          pieces.push(whole.subarray(at))
          assert.deepStrictEqual(
            read(pieces),
            capsules.flatMap(({ payload }) => (payload ? [payload] : []))
          )
        }
      )
    )
  })

  it("makes the same of any bytes, wherever they are cut", () => {
    const bytes = fc.array(fc.oneof(fc.constantFrom(0, 1, 2, 0x40, 0x80, 0xc0), fc.nat(255)), {
      maxLength: 120
    })
    holds(
      fc.property(bytes, fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 60 }), (all, cuts) => {
        const whole = Uint8Array.from(all)
        const pieces: Array<Uint8Array> = []
        let at = 0
        for (const cut of cuts) {
          pieces.push(whole.subarray(at, at + cut))
          at += cut
        }
        pieces.push(whole.subarray(at))
        assert.deepStrictEqual(read(pieces), read([whole]))
      }),
      { numRuns: 1000 }
    )
  })

  it("reads lengths of four bytes", () => {
    const payload = new Uint8Array(65_000).fill(7)
    assert.deepStrictEqual(read([datagram(payload)]), [[...payload]])
  })

  it("refuses a datagram that is too long for UDP, before it is complete", () => {
    assert.strictEqual(read([Uint8Array.of(0, 0x80, 1, 0, 8)]), "a datagram that is too long")
  })

  it("drops datagrams of other contexts, and without a context", () => {
    assert.deepStrictEqual(read([Uint8Array.of(0, 2, 2, 9, 0, 0, 0, 1, 0)]), [[]])
  })
})
