/**
 * Lanes that have more to send than they may: the rate, the shares, the order.
 */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as TokenBucket from "../../src/base/TokenBucket.ts"
import * as BandwidthScheduler from "../../src/network/BandwidthScheduler.ts"
import { holds } from "../support/property.ts"

/** A pacer whose time passes when the test says so, tick by tick. */
const world = () => {
  let time = 0
  let isTicking = false
  const pacer = BandwidthScheduler.make(
    () => time,
    () => {
      isTicking = true
    }
  )
  const sources: Array<() => void> = []
  return {
    pacer,
    bucket: (rate: number) => TokenBucket.make(rate, time),
    /** Has always something to send, in chunks of this size; counts what it has sent. */
    greedy: (lane: BandwidthScheduler.Flow, size = lane.slice) => {
      const sent = { bytes: 0 }
      let mayGo = true
      sources.push(() => {
        while (mayGo) {
          sent.bytes += size
          mayGo = lane.pass(size, () => {
            mayGo = true
          })
        }
      })
      return sent
    },
    /** Lets seconds pass. Between ticks, everyone sends all he may. */
    pass: (seconds: number) => {
      for (let ticks = (seconds * 1000) / BandwidthScheduler.interval; ticks > 0; ticks--) {
        for (const source of sources) source()
        time += BandwidthScheduler.interval
        if (isTicking) isTicking = pacer.tick()
      }
    },
    /** Lets milliseconds pass in which nothing happens. */
    sleep: (millis: number) => {
      time += millis
    },
    isTicking: () => isTicking
  }
}

const KiB = 1024
const MiB = 1024 * KiB

describe("BandwidthScheduler", () => {
  for (const rate of [16 * KiB, 256 * KiB, 1 * MiB, 100 * MiB]) {
    it(`limits a flow to ${rate / KiB} KiB a second`, () => {
      const { pacer, bucket, greedy, pass } = world()
      const sent = greedy(pacer.flow([bucket(rate)]))
      pass(1)
      const before = sent.bytes
      pass(10)
      assert.closeTo((sent.bytes - before) / rate, 10, 0.3)
    })
  }

  it("never lets a flow wait long if reads have the size of its slice", () => {
    const { pacer, bucket, greedy, pass } = world()
    const sent = greedy(pacer.flow([bucket(256 * KiB)]))
    for (let i = 0; i < 100; i++) {
      const before = sent.bytes
      pass(0.1)
      assert.isAbove(sent.bytes, before)
    }
  })

  it("applies the lowest of several limits", () => {
    const { pacer, bucket, greedy, pass } = world()
    const sent = greedy(pacer.flow([bucket(MiB), bucket(100 * KiB), bucket(10 * MiB)]))
    pass(10)
    assert.closeTo(sent.bytes / (100 * KiB), 10, 0.5)
  })

  it("shares evenly, whatever the size and the number of the chunks", () => {
    const sizes = fc.array(fc.integer({ min: 512, max: 64 * KiB }), { minLength: 2, maxLength: 8 })
    const rates = fc.integer({ min: 128 * KiB, max: 64 * MiB })
    holds(
      fc.property(rates, sizes, (rate, chunks) => {
        const { pacer, bucket, greedy, pass } = world()
        const shared = bucket(rate)
        const all = chunks.map((size) => greedy(pacer.flow([shared]), size))
        // Long enough for many turns of everyone.
        const seconds = 20 + (chunks.length * 64 * KiB * 40) / rate
        pass(seconds)
        const total = all.reduce((sum, { bytes }) => sum + bytes, 0)
        assert.closeTo(total / (rate * seconds), 1, 0.1)
        for (const { bytes } of all) assert.closeTo((bytes / total) * chunks.length, 1, 0.15)
      }),
      { numRuns: 50 }
    )
  })

  it("gives the rest of a flow's share to the others", () => {
    const { pacer, bucket, greedy, pass } = world()
    const shared = bucket(10 * MiB)
    const slow = greedy(pacer.flow([bucket(MiB), shared]))
    const fast = [greedy(pacer.flow([shared])), greedy(pacer.flow([shared]))]
    pass(20)
    assert.closeTo(slow.bytes / MiB / 20, 1, 0.1)
    for (const { bytes } of fast) assert.closeTo(bytes / MiB / 20, 4.5, 0.5)
  })

  it("lets no flow start ahead of waiting flows", () => {
    const { pacer, bucket, greedy, pass, sleep } = world()
    const shared = bucket(64 * KiB)
    greedy(pacer.flow([shared]))
    pass(1)
    // There would be something for whoever looks first.
    sleep(2000)
    let isLetIn = false
    const newcomer = pacer.flow([shared])
    assert.isFalse(newcomer.pass(0, () => (isLetIn = true)))
    assert.isTrue(newcomer.isWaiting())
    pass(1)
    assert.isTrue(isLetIn)
    assert.isFalse(newcomer.isWaiting())
  })

  it("does not make small pieces wait for large ones", () => {
    const { pacer, bucket, greedy, pass } = world()
    const shared = bucket(256 * KiB)
    for (let i = 0; i < 10; i++) greedy(pacer.flow([shared]))
    pass(1)
    const shell = pacer.flow([shared])
    shell.pass(100, () => {})
    pass(2)
    assert.isFalse(shell.isWaiting())
    for (let i = 0; i < 20; i++) {
      pass(0.1)
      assert.isTrue(shell.pass(100, assert.fail))
    }
  })

  it("keeps its rate while other flows have nothing to send, or leave", () => {
    const { pacer, bucket, greedy, pass } = world()
    const shared = bucket(MiB)
    const sent = greedy(pacer.flow([shared]))
    pass(1)
    const quiet = Array.from({ length: 20 }, () => pacer.flow([shared]))
    for (const lane of quiet) lane.pass(0, () => {})
    pass(5)
    assert.isAbove(sent.bytes / MiB, 4.5)
    for (const lane of quiet) lane.leave()
    pass(2)
    const before = sent.bytes
    pass(10)
    assert.closeTo((sent.bytes - before) / MiB, 10, 0.5)
  })

  it("takes back unused tokens", () => {
    const { pacer, bucket, greedy, pass } = world()
    const shared = bucket(100 * MiB)
    const sent = greedy(pacer.flow([shared]))
    const modest = pacer.flow([shared])
    pass(1)
    const before = sent.bytes
    for (let i = 0; i < 100; i++) {
      modest.pass(300 * KiB, () => {})
      pass(0.1)
    }
    assert.closeTo((sent.bytes - before) / MiB, 1000 - 30, 10)
  })

  it("stops without waiting flows", () => {
    const { pacer, bucket, pass, isTicking } = world()
    const lane = pacer.flow([bucket(MiB)])
    assert.isTrue(lane.pass(1000, assert.fail))
    assert.isFalse(isTicking())
    let goes = 0
    assert.isFalse(lane.pass(MiB, () => goes++))
    assert.isTrue(isTicking())
    pass(2)
    assert.strictEqual(goes, 1)
    assert.isFalse(isTicking())
    assert.isFalse(lane.pass(10 * MiB, assert.fail))
    lane.leave()
    pass(20)
    assert.isFalse(isTicking())
  })
})
