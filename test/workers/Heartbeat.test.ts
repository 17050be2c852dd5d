/**
 * Workers that do not run any more, though they are there.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Heartbeat from "../../src/workers/Heartbeat.ts"

const watching = () => {
  const stopped = new Set<number>()
  const told: Array<string> = []
  const worker = (pid: number) => ({
    pid,
    send: ({ _tag }: Heartbeat.Ping) => void told.push(`${_tag} ${pid}`),
    kill: () => void told.push(`kill ${pid}`)
  })
  const heart = Heartbeat.make<ReturnType<typeof worker>>((pid) => stopped.has(pid))
  return { stopped, told, worker, ...heart }
}

describe("Heartbeat", () => {
  it("asks all workers at each beat, and kills none that answers", () => {
    const { add, beat, receive, isLate, told, worker, stopped } = watching()
    const [one, two] = [worker(1), worker(2)]
    add(one)
    add(two)
    stopped.add(1)
    for (let i = 0; i < 100; i++) {
      assert.deepStrictEqual(beat(), [])
      receive(one)
      receive(two)
      assert.isFalse(isLate(one))
    }
    assert.deepStrictEqual(told.slice(0, 2), ["ping 1", "ping 2"])
    assert.lengthOf(told, 200)
  })

  it("kills a stopped worker when it is late, and no other", () => {
    const { add, beat, receive, isLate, missedBeats, told, worker, stopped } = watching()
    const [one, two, busy] = [worker(1), worker(2), worker(3)]
    for (const each of [one, two, busy]) add(each)
    stopped.add(1).add(2)
    for (let i = 0; i < 3; i++) {
      assert.isFalse(isLate(one))
      assert.deepStrictEqual(beat(), [])
      receive(two)
    }
    assert.deepStrictEqual([one, two, busy].map(isLate), [true, false, true])
    assert.deepStrictEqual([one, two, busy].map(missedBeats), [3, 0, 3])
    assert.deepStrictEqual(beat(), [one])
    receive(two)
    assert.deepStrictEqual(beat(), [])
    assert.deepStrictEqual(
      told.filter((text) => text.startsWith("kill")),
      ["kill 1"]
    )
  })

  it("gives a busy worker half a minute", () => {
    const { add, beat, isLate, receive, worker } = watching()
    const one = worker(1)
    add(one)
    const patience = 30_000 / Heartbeat.interval
    for (let i = 0; i < patience; i++) assert.deepStrictEqual(beat(), [])
    assert.isTrue(isLate(one))
    receive(one)
    assert.isFalse(isLate(one))
    for (let i = 0; i < patience; i++) assert.deepStrictEqual(beat(), [])
    assert.deepStrictEqual(beat(), [one])
  })

  it("forgets a worker that has ended", () => {
    const { add, beat, remove, receive, isLate, told, worker } = watching()
    const one = worker(1)
    add(one)
    remove(one)
    receive(one)
    assert.deepStrictEqual(beat(), [])
    assert.deepStrictEqual(told, [])
    assert.isFalse(isLate(one))
  })
})
