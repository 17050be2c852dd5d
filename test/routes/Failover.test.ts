/**
 * What a session gets when members fail, or are slow: another one in their place, or beside them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { Server } from "../../src/library/Server.ts"
import type * as Event from "../../src/session/Event.ts"
import { Events } from "../../src/session/Events.ts"
import { layerServer, Network, type Peer, type UpstreamOptions, upstream } from "../../src/testing/index.ts"
import { greeting, request } from "../support/messages.ts"
import { asked, names, place, play, pool, times } from "../support/pools.ts"
import { settled } from "../support/streams.ts"

describe("a route with members that fail", () => {
  it.effect("takes another one for a session if an upstream fails, and then leaves that one alone", () =>
    Effect.gen(function* () {
      let tries = 0
      yield* play("a", { fault: { _tag: "CutOff", after: 0, by: "reset" } })
      yield* (yield* Network).target(place("a"), () =>
        Effect.andThen(
          Effect.sync(() => tries++),
          Effect.fail("reset")
        )
      )
      yield* play("b")
      yield* play("c", { fault: { _tag: "RefuseLogin" }, login: "x:y" })
      assert.deepStrictEqual(yield* times(12), Array(12).fill("b"))
      // Once for each of its turns, until it was left alone.
      assert.strictEqual(tries, 3)
      yield* play("a")
      assert.deepStrictEqual(yield* times(3), ["b", "b", "b"])
      yield* TestClock.adjust("10 seconds")
      assert.include(yield* times(3), "a")
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}))))
  )

  it.effect("passes on a member's error about the target, and tries no other member then", () =>
    Effect.gen(function* () {
      for (const name of names) yield* play(name, { fault: { _tag: "Answer", code: 5 } })
      assert.deepStrictEqual(yield* times(5), [5, 5, 5, 5, 5])
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}))))
  )

  it.effect("fails if all members fail, and never connects directly", () =>
    Effect.gen(function* () {
      yield* (yield* Network).target("203.0.113.80:80", () => Effect.die("went directly"))
      assert.deepStrictEqual(yield* times(6), [1, 1, 1, 1, 1, 1])
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}))))
  )

  it.effect("leaves no member alone because of the targets of one client, which are silent", () =>
    Effect.gen(function* () {
      // All members answer until they are asked for the target.
      for (const name of names) yield* play(name, { fault: { _tag: "Hang", after: 2 } })
      const ended: Array<unknown> = []
      yield* (yield* Events).listen(["SessionEnded"], (event) => Effect.sync(() => void ended.push(event)))
      for (let i = 0; i < 4; i++) {
        const asking = yield* Effect.forkChild(asked)
        for (let tries = 0; tries < 3; tries++) {
          yield* settled
          yield* TestClock.adjust("3 seconds")
        }
        assert.strictEqual(yield* Fiber.join(asking), 1)
      }
      assert.deepInclude(ended[0], { outcome: "UpstreamTimeout", after: "request" })
      for (const name of names) yield* play(name)
      assert.sameMembers(yield* times(3), ["a", "b", "c"])
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}, { connectTimeout: "9 seconds" }))))
  )

  it.effect("goes on to the next one when a member hangs, within the time limit for connecting", () =>
    Effect.gen(function* () {
      yield* play("a", { fault: { _tag: "Hang", after: 1 } })
      yield* play("b")
      const asking = yield* Effect.forkChild(asked)
      yield* settled
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* Fiber.join(asking), "b")
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}, { connectTimeout: "9 seconds" }))))
  )
})

/** A member that does nothing before this time. Returns what its clients are seen to do. */
const playSlowly = Effect.fnUntraced(function* (
  name: string,
  delay: Parameters<typeof Effect.sleep>[0],
  options: Partial<UpstreamOptions> = {}
) {
  const seen: Array<string> = []
  const note = (what: string) => Effect.sync(() => void seen.push(what))
  const serve = upstream({
    protocol: "socks5",
    target: ({ send, receive }: Peer) =>
      Effect.andThen(
        Effect.flatMap(receive(5), (bytes) =>
          bytes.length === 0 ? Effect.void : note(Buffer.from(bytes).toString())
        ),
        send(name)
      ),
    ...options
  })
  yield* (yield* Network).target(place(name), (peer) =>
    Effect.forkDetach(Effect.flatMap(peer.ending, note)).pipe(
      Effect.andThen(note("begins")),
      Effect.andThen(Effect.sleep(delay)),
      Effect.andThen(serve(peer))
    )
  )
  return seen
})

/** A session that has sent all that it has to say. */
const sessionTo = (port: number) =>
  Effect.gen(function* () {
    const client = yield* (yield* Network).connect()
    yield* client.send([...greeting(0), ...request("203.0.113.80", port), ...Buffer.from("hello")])
    const [, , , code] = yield* client.receive(12)
    const said = code === 0 ? Buffer.from(yield* client.receive(1)).toString() : code
    yield* client.end
    return said
  }).pipe(Effect.scoped)

const session = sessionTo(80)

const waited = Effect.fnUntraced(function* (seconds: number) {
  yield* settled
  for (let i = 0; i < seconds; i++) {
    yield* TestClock.adjust("1 second")
    yield* settled
  }
})

/** Connecting may take nine seconds, of which the share of each of three members is three. */
const options = { connectTimeout: "9 seconds" } as const

const ended = Effect.gen(function* () {
  const events: Array<Event.SessionEnded> = []
  yield* (yield* Events).listen(["SessionEnded"], (event) => Effect.sync(() => void events.push(event)))
  return events
})

describe("a route with members that are slow", () => {
  it.effect("waits for one longer than its share, while others are tried beside it", () =>
    Effect.gen(function* () {
      yield* playSlowly("a", "8 seconds")
      const [b, c] = [yield* playSlowly("b", "1 hour"), yield* playSlowly("c", "1 hour")]
      const asking = yield* Effect.forkChild(session)
      yield* waited(2)
      assert.deepStrictEqual([b, c], [[], []])
      yield* waited(1)
      assert.deepStrictEqual([b, c], [["begins"], []])
      yield* waited(3)
      assert.deepStrictEqual([b, c], [["begins"], ["begins"]])
      yield* waited(2)
      assert.strictEqual(yield* Fiber.join(asking), "a")
      yield* settled
      assert.deepStrictEqual(
        [b, c],
        [
          ["begins", "reset"],
          ["begins", "reset"]
        ]
      )
      // Nobody failed: one was fast enough, and the others had less time.
      const { upstreams } = yield* Server
      assert.deepStrictEqual(
        (yield* upstreams).map(({ failures, sessions }) => [failures, sessions]),
        Array(3).fill([0, 0])
      )
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}, options))))
  )

  it.effect("takes the first that gets through, and the others get no byte of the session", () =>
    Effect.gen(function* () {
      const events = yield* ended
      const [a, b] = [yield* playSlowly("a", "5 seconds"), yield* playSlowly("b", "1 second")]
      const asking = yield* Effect.forkChild(session)
      yield* waited(4)
      assert.strictEqual(yield* Fiber.join(asking), "b")
      yield* waited(10)
      assert.deepStrictEqual(
        [a, b.slice(0, 2)],
        [
          ["begins", "reset"],
          ["begins", "hello"]
        ]
      )
      assert.deepInclude(events[0], { route: "pool", member: "b" })
      // It was slower by its share at least.
      const { upstreams } = yield* Server
      assert.deepStrictEqual(
        (yield* upstreams).map(({ failures, sessions }) => [failures, sessions]),
        [
          [1, 0],
          [0, 0],
          [0, 0]
        ]
      )
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}, options))))
  )

  it.effect("leaves alone one that is slower than others by its share again and again", () =>
    Effect.gen(function* () {
      const a = yield* playSlowly("a", "8 seconds")
      for (const name of ["b", "c"]) yield* play(name)
      for (let i = 0; i < 9; i++) {
        const asking = yield* Effect.forkChild(session)
        yield* waited(3)
        assert.include(["b", "c"], yield* Fiber.join(asking))
      }
      assert.strictEqual(a.filter((what) => what === "begins").length, 3)
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}, options))))
  )

  it.effect("gives one all the time if the others are left alone, and then tries these", () =>
    Effect.gen(function* () {
      // Nobody is there.
      yield* times(9)
      yield* TestClock.adjust("10 seconds")
      yield* play("a")
      yield* times(1)
      const a = yield* playSlowly("a", "8 seconds")
      // Each is tried by a session that fails, and left alone for longer.
      yield* play("b", { fault: { _tag: "RefuseLogin" }, login: "x:y" })
      yield* play("c", { fault: { _tag: "RefuseLogin" }, login: "x:y" })
      const [b, c] = [yield* playSlowly("b", 0), yield* playSlowly("c", 0)]
      const { upstreams } = yield* Server
      assert.deepStrictEqual(
        (yield* upstreams).map(({ isUp }) => isUp),
        [true, false, false]
      )
      const asking = yield* Effect.forkChild(session)
      yield* waited(7)
      assert.deepStrictEqual([a, b, c], [["begins"], [], []])
      yield* waited(1)
      assert.strictEqual(yield* Fiber.join(asking), "a")
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}, options))))
  )

  it.effect("fails when the time for connecting is over, and says which member it tried", () =>
    Effect.gen(function* () {
      const events = yield* ended
      for (const name of names) yield* playSlowly(name, "1 hour")
      const asking = yield* Effect.forkChild(session)
      yield* waited(8)
      assert.lengthOf(events, 0)
      yield* waited(1)
      assert.strictEqual(yield* Fiber.join(asking), 1)
      const [event] = events
      const { route, member, upstream, outcome, duration } = { upstream: "", ...event! }
      assert.deepStrictEqual(
        { route, outcome, duration },
        {
          ...{ route: "pool", outcome: "UpstreamTimeout", duration: 9000 }
        }
      )
      assert.strictEqual(upstream, `socks5://${place(member!)}`)
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}, options))))
  )

  it.effect("tries no more than 256 beside others, as long as these are silent", () =>
    Effect.gen(function* () {
      const seen: Array<ReadonlyArray<string>> = []
      for (const name of names) seen.push(yield* playSlowly(name, "1 hour"))
      // Of sessions to one target most would wait for their turn.
      const all = Array.from({ length: 300 }, (_, index) => sessionTo(1000 + index))
      const asking = yield* Effect.forkChild(Effect.all(all, { concurrency: "unbounded" }))
      yield* waited(6)
      const begun = seen.flat().filter((what) => what === "begins").length
      assert.strictEqual(begun, 300 + 256)
      yield* waited(3)
      assert.deepStrictEqual([...new Set(yield* Fiber.join(asking))], [1])
      // Nothing is left of them.
      for (const name of names) yield* play(name)
      yield* TestClock.adjust("10 seconds")
      const { upstreams } = yield* Server
      assert.deepStrictEqual(
        (yield* upstreams).map(({ sessions }) => sessions),
        [0, 0, 0]
      )
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}, options))))
  )

  it.effect("passes on what one tells of the target, while another one is still silent", () =>
    Effect.gen(function* () {
      const events = yield* ended
      const a = yield* playSlowly("a", "1 hour")
      yield* play("b", { fault: { _tag: "Answer", code: 5 } })
      const asking = yield* Effect.forkChild(session)
      yield* waited(3)
      assert.strictEqual(yield* Fiber.join(asking), 5)
      yield* settled
      assert.deepStrictEqual(a, ["begins", "reset"])
      assert.deepInclude(events[0], { route: "pool", member: "b", outcome: "ConnectionRefused" })
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}, options))))
  )

  it.effect("goes on to the next one at once when one fails, beside one that is silent", () =>
    Effect.gen(function* () {
      yield* playSlowly("a", "1 hour")
      yield* play("b", { fault: { _tag: "CutOff", after: 2, by: "reset" } })
      yield* play("c")
      const asking = yield* Effect.forkChild(asked)
      yield* waited(3)
      assert.strictEqual(yield* Fiber.join(asking), "c")
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}, options))))
  )
})
