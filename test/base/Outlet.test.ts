/**
 * Lines on their way to a descriptor that is slow, full, gone, or there again.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Outlet from "../../src/base/Outlet.ts"
import { holds } from "../support/property.ts"

/** A descriptor with so much room, and a clock that moves by hand. */
const make = (options: { readonly room: number; readonly capacity?: number; readonly atOnce?: number }) => {
  const end = { room: options.room, error: "EAGAIN", writes: 0 }
  let taken = ""
  let now = 0
  let timers: Array<{ readonly at: number; readonly run: () => void }> = []
  const outlet = Outlet.make({
    sink: (bytes, offset, length) => {
      end.writes++
      if (end.room === 0) throw Object.assign(new Error(end.error), { code: end.error })
      const part = bytes.subarray(offset, offset + Math.min(length, end.room))
      end.room -= part.length
      taken += Buffer.from(part).toString("latin1")
      return part.length
    },
    capacity: options.capacity ?? 1000,
    later: (millis, run) => void timers.push({ at: now + millis, run })
  })
  outlet.onDropped((dropped) => `dropped ${dropped}`)
  outlet.limit(options.atOnce ?? 1000)
  const pass = (millis: number) => {
    for (const until = now + millis; ; ) {
      const next = timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) {
        now = until
        return
      }
      timers = timers.filter((timer) => timer !== next)
      now = next.at
      next.run()
    }
  }
  return { ...outlet, end, finish: outlet.end, pass, taken: () => taken, timers: () => timers.length }
}

describe("an outlet", () => {
  it("writes at once, and leaves no timer", () => {
    const { write, taken, timers } = make({ room: 1000 })
    write(["one", "two"])
    assert.strictEqual(taken(), "one\ntwo\n")
    assert.strictEqual(timers(), 0)
  })

  it("continues after a partial write when there is room again, in order", () => {
    const { write, taken, end, pass } = make({ room: 5 })
    write(["one", "two"])
    write(["three"])
    assert.strictEqual(taken(), "one\nt")
    end.room = 1000
    pass(100)
    assert.strictEqual(taken(), "one\ntwo\nthree\n")
  })

  it("tries a slow reader again within milliseconds, and an absent one 20 times a second", () => {
    const { write, end, pass } = make({ room: 0 })
    write(["one"])
    pass(10)
    assert.isAtLeast(end.writes, 4)
    pass(1000)
    const before = end.writes
    pass(1000)
    assert.approximately(end.writes - before, 20, 1)
  })

  it("tries a broken output once a second", () => {
    for (const error of ["EPIPE", "ENOSPC", "EIO"]) {
      const { write, end, pass, taken } = make({ room: 0 })
      end.error = error
      write(["one"])
      pass(5500)
      assert.strictEqual(end.writes, 6)
      end.room = 100
      pass(1000)
      assert.strictEqual(taken(), "one\n")
    }
  })

  it("keeps a bounded number of bytes, drops and counts the rest, and reports them when half of the room is free", () => {
    const { write, taken, end, pass } = make({ room: 0, capacity: 100 })
    for (let i = 10; i < 60; i++) write([`line ${i}`])
    // 12 lines of 8 bytes.
    end.room = 40
    pass(50)
    assert.strictEqual(taken().split("\n").length - 1, 5)
    write(["still too early"])
    end.room = 1000
    pass(50)
    write(["after"])
    assert.deepStrictEqual(taken().split("\n").slice(11), ["line 21", "dropped 39", "after", ""])
  })

  it("reports dropped lines although no other line follows", () => {
    const { write, taken, end, pass } = make({ room: 0, capacity: 10 })
    write(["12345678"])
    write(["12345678", "x"])
    end.room = 1000
    pass(50)
    assert.strictEqual(taken(), "12345678\ndropped 2\n")
  })

  it("ends when all lines are written", () => {
    const { write, finish, end, pass } = make({ room: 0 })
    let ends = 0
    write(["one"])
    finish(1000, () => ends++)
    pass(500)
    assert.strictEqual(ends, 0)
    end.room = 1000
    pass(50)
    assert.strictEqual(ends, 1)
    pass(5000)
    assert.strictEqual(ends, 1)
  })

  it("ends when the time is over", () => {
    for (const error of ["EAGAIN", "EPIPE"]) {
      const { write, finish, end, pass } = make({ room: 0 })
      end.error = error
      let ends = 0
      write(["one"])
      finish(1000, () => ends++)
      pass(999)
      assert.strictEqual(ends, 0)
      pass(1)
      assert.strictEqual(ends, 1)
      pass(5000)
      assert.strictEqual(ends, 1)
    }
  })

  it("ends at once without waiting lines", () => {
    let ends = 0
    make({ room: 0 }).finish(1000, () => ends++)
    assert.strictEqual(ends, 1)
  })
})

describe("pieces", () => {
  it("are whole lines, in order, counted, and no longer than one write", () => {
    holds(
      fc.property(
        fc.array(fc.string({ unit: "binary", maxLength: 40 }), { minLength: 1 }),
        fc.integer({ min: 1, max: 4000 }),
        (lines, atOnce) => {
          const whole = lines.map((line) => line.replaceAll("\n", " "))
          const found = Outlet.pieces(whole, atOnce)
          assert.strictEqual(found.map(([text]) => text).join(""), whole.map((line) => `${line}\n`).join(""))
          for (const [text, count] of found) {
            assert.lengthOf(text.split("\n"), count + 1)
            if (Buffer.byteLength(text) > atOnce) assert.strictEqual(count, 1)
          }
        }
      )
    )
  })
})
