/**
 * Bytes that arrive in any pieces are given to their taker once, in order, and not looked at more often than they must be.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { type Borrower, HttpInput } from "../../src/network/HttpInput.ts"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import { pair } from "../../src/testing/index.ts"
import { holds } from "../support/property.ts"
import { settled } from "../support/streams.ts"

const input = () => {
  const [near] = pair()
  return new HttpInput(NodeTransport.make(near), new Uint8Array(0), () => {})
}

describe("HttpInput", () => {
  it("does not parse a head again for each of its bytes", () => {
    const bytes = input()
    let looks = 0
    let taken = ""
    bytes.want({
      byLine: true,
      ended: () => {},
      take: (all) => {
        looks++
        const end = all.indexOf("\n")
        if (end === -1) return
        taken = all.toString("latin1", 0, end)
        bytes.use(end + 1)
      }
    })
    const line = "x".repeat(20_000)
    for (const byte of Buffer.from(`${line}\n`)) bytes.received(Buffer.from([byte]))
    assert.strictEqual(taken, line)
    assert.isAtMost(looks, 3)
  })

  it("gives all bytes once, and given bytes do not change", () => {
    const pieces = fc.array(fc.string({ minLength: 1, maxLength: 9 }), { maxLength: 60 })
    holds(
      fc.property(pieces, fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1 }), (pieces, wants) => {
        const bytes = input()
        const given: Array<Buffer> = []
        let turn = 0
        bytes.want({
          ended: () => {},
          take: (all) => {
            // Now and then more than there is, so that what is there has to wait.
            const size = wants[turn++ % wants.length]!
            if (size > all.length) return
            given.push(all.subarray(0, size))
            bytes.use(size)
          }
        })
        for (const piece of pieces) bytes.received(Buffer.from(piece))
        const rest = bytes.release()
        assert.strictEqual(Buffer.concat([...given, rest]).toString("utf8"), pieces.join(""))
      })
    )
  })

  it("reads nothing between the taker of a head and who relays the body", async () => {
    const [near, far] = pair()
    const transport = NodeTransport.make(near)
    const bytes = new HttpInput(transport, new Uint8Array(0), () => {})
    const relayed: Array<string> = []
    const borrower: Borrower = {
      ...{ moved: () => {}, missed: () => {}, drained: () => {}, ended: () => {}, closed: () => {} },
      stop: () => {}
    }
    bytes.want({
      ended: () => {},
      take: (all) => {
        bytes.want()
        bytes.use(all.length)
        bytes.reserve(borrower)
      }
    })
    far.write("head")
    await Effect.runPromise(settled)
    far.write("body")
    await Effect.runPromise(settled)
    assert.isFalse(bytes.hasBytes)
    const [to, end] = pair()
    end.on("data", (chunk) => relayed.push(String(chunk)))
    bytes.lend(NodeTransport.make(to), borrower)
    await Effect.runPromise(settled)
    assert.deepStrictEqual(relayed, ["body"])
  })
})
