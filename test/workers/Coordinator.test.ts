/**
 * What the primary and its workers tell each other of what they count.
 */
import { assert, describe, it } from "@effect/vitest"
import * as LoginGuard from "../../src/bans/LoginGuard.ts"
import { BanSettings } from "../../src/bans/Settings.ts"
import * as Hmac from "../../src/base/Hmac.ts"
import * as Usage from "../../src/limits/Usage.ts"
import * as Coordinator from "../../src/workers/Coordinator.ts"
import type { Count } from "../../src/workers/Messages.ts"
import * as WorkerCounters from "../../src/workers/WorkerCounters.ts"

interface Worker extends Coordinator.Clerk {
  counters?: WorkerCounters.WorkerCounters
}

/** A primary, and what begins a worker and ends one; messages arrive at once. */
const world = () => {
  const primary = Coordinator.make<Worker>({
    guesses: LoginGuard.make(Hmac.hashes),
    usage: Usage.make(),
    settings: () => BanSettings.defaults,
    run: () => {}
  })
  /** All that was sent, as the text that it is on its way. */
  const sent: Array<string> = []
  const begin = (): Required<Worker> => {
    const worker: Worker = {
      send: (message: Count) => {
        sent.push(JSON.stringify(message))
        worker.counters?.receive(message)
      }
    }
    const welcome = JSON.parse(JSON.stringify(primary.enter(worker)))
    worker.counters = WorkerCounters.make({
      welcome: { _tag: "welcome", texts: [], reusePort: true, passed: [], count: 2, ...welcome },
      send: (message) => {
        sent.push(JSON.stringify(message))
        if (message._tag !== "hello") primary.receive(worker, message as never)
      }
    })
    return worker as Required<Worker>
  }
  return { primary, sent, begin }
}

it("A server has one name to other proxies, and another one than other servers", () => {
  const { primary } = world()
  const enter = () => primary.enter({ send: () => {} }).pseudonym
  const name = enter()
  assert.match(name, /^effect-socks-[0-9a-f]{8}$/)
  assert.strictEqual(enter(), name)
  assert.notStrictEqual(world().primary.enter({ send: () => {} }).pseudonym, name)
})

describe("a login that was right", () => {
  const parts = ["alice", "$scrypt$hash", "secret"].map((text) => new TextEncoder().encode(text))

  it("is known to the others, and to a worker that begins when the one is gone that checked it", () => {
    const { primary, sent, begin } = world()
    const [one, other] = [begin(), begin()]
    const now = Date.now()
    const login = one.counters.remembered.digest(...parts)
    one.counters.remembered.add(login, now)
    assert.isTrue(other.counters.remembered.has(other.counters.remembered.digest(...parts), now))
    primary.remove(one)
    const next = begin()
    assert.isTrue(next.counters.remembered.has(next.counters.remembered.digest(...parts), now))
    const said = sent.filter((text) => text.includes('"logins"'))
    // One to the primary, and one to the other worker, without anything of the parts.
    assert.lengthOf(said, 2)
    for (const text of said) assert.notMatch(text, /alice|scrypt|secret/)
  })

  it("is nothing to another server", () => {
    const [one, other] = [world().begin(), world().begin()]
    assert.notStrictEqual(
      one.counters.remembered.digest(...parts),
      other.counters.remembered.digest(...parts)
    )
  })
})
