/**
 * How many sessions wait for the same answer, and servers that are each other's upstream.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as fc from "fast-check"
import { SlowStart } from "../../src/routes/SlowStart.ts"
import { Events } from "../../src/session/Events.ts"
import { layerServer, Network, upstream } from "../../src/testing/index.ts"
import { greeting, request } from "../support/messages.ts"
import { holds } from "../support/property.ts"
import { settled } from "../support/streams.ts"

/** Attempts of one flow that last until they are told how they end. */
const attempts = (slowStart: SlowStart, key = "flow") => {
  const all: Array<{ readonly isBegun: () => boolean; readonly fiber: Fiber.Fiber<void, string> }> = []
  const ends: Array<Deferred.Deferred<void, string>> = []
  return {
    begin: Effect.gen(function* () {
      const end = yield* Deferred.make<void, string>()
      let isBegun = false
      const attempt = Effect.andThen(
        Effect.sync(() => {
          isBegun = true
        }),
        Deferred.await(end)
      )
      const fiber = yield* Effect.forkChild(
        slowStart.run(key, attempt, { isAnswer: (error) => error === "refused", within: identity })
      )
      ends.push(end)
      all.push({ isBegun: () => isBegun, fiber })
      yield* settled
    }),
    succeed: (index: number) => Effect.andThen(Deferred.succeed(ends[index]!, undefined), settled),
    fail: (index: number) => Effect.andThen(Deferred.fail(ends[index]!, "refused"), settled),
    close: (index: number) => Effect.andThen(Deferred.fail(ends[index]!, "closed"), settled),
    interrupt: (index: number) => Effect.andThen(Fiber.interrupt(all[index]!.fiber), settled),
    /** The numbers of those that have begun. */
    begun: () => [...all.keys()].filter((index) => all[index]!.isBegun())
  }
}

describe("attempts of a flow", () => {
  it.effect("wait for their turn; a success lets in two, and a failure one", () =>
    Effect.gen(function* () {
      const flow = attempts(new SlowStart(2))
      for (let index = 0; index < 8; index++) yield* flow.begin
      assert.deepStrictEqual(flow.begun(), [0, 1])
      yield* flow.fail(0)
      assert.deepStrictEqual(flow.begun(), [0, 1, 2])
      yield* flow.succeed(1)
      assert.deepStrictEqual(flow.begun(), [0, 1, 2, 3, 4])
      yield* flow.succeed(2)
      assert.deepStrictEqual(flow.begun(), [0, 1, 2, 3, 4, 5, 6])
    })
  )

  it.effect("wait for none of another flow, and begin anew when all have ended", () =>
    Effect.gen(function* () {
      const slowStart = new SlowStart(1)
      const [one, other] = [attempts(slowStart, "one"), attempts(slowStart, "other")]
      for (const flow of [one, one, other]) yield* flow.begin
      assert.deepStrictEqual([one.begun(), other.begun()], [[0], [0]])
      yield* one.succeed(0)
      yield* one.succeed(1)
      for (let times = 0; times < 2; times++) yield* one.begin
      assert.deepStrictEqual(one.begun(), [0, 1, 2])
    })
  )

  it.effect("last until their scope closes, or until they have succeeded, where they are turns", () =>
    Effect.gen(function* () {
      const slowStart = new SlowStart(1)
      const [first, second] = [yield* Scope.make(), yield* Scope.make()]
      const turn = (scope: Scope.Scope) =>
        Scope.provide(slowStart.turn("flow", Duration.minutes(1), identity), scope)
      const { end } = yield* Effect.map(turn(first), (turn) => ({ end: () => turn.end(true) }))
      const flow = attempts(slowStart)
      for (let times = 0; times < 5; times++) yield* flow.begin
      end()
      end()
      yield* settled
      assert.deepStrictEqual(flow.begun(), [0, 1])
      yield* Scope.close(first, Exit.void)
      yield* settled
      assert.deepStrictEqual(flow.begun(), [0, 1])
      const waiting = yield* Effect.forkChild(turn(second))
      for (const index of [0, 1]) yield* flow.fail(index)
      for (const index of [2, 3]) yield* flow.fail(index)
      yield* Fiber.join(waiting)
      yield* flow.begin
      yield* flow.begin
      assert.deepStrictEqual(flow.begun(), [0, 1, 2, 3, 4])
      yield* TestClock.adjust("1 minute")
      yield* settled
      assert.deepStrictEqual(flow.begun(), [0, 1, 2, 3, 4, 5])
      yield* Scope.close(second, Exit.void)
    })
  )

  it.effect("may give up while they wait, and leave their turn to others", () =>
    Effect.gen(function* () {
      const slowStart = new SlowStart(1)
      const flow = attempts(slowStart)
      yield* flow.begin
      const late = slowStart.run("flow", Effect.die("began"), {
        isAnswer: () => true,
        within: () => Effect.fail("late")
      })
      assert.strictEqual(yield* Effect.flip(late), "late")
      yield* flow.begin
      yield* flow.begin
      yield* flow.interrupt(1)
      yield* flow.fail(0)
      assert.deepStrictEqual(flow.begun(), [0, 2])
    })
  )

  it.effect(
    "that end without an answer keep their turn for a second, so that a round ends faster than it goes on",
    () =>
      Effect.gen(function* () {
        const flow = attempts(new SlowStart(2))
        for (let index = 0; index < 5; index++) yield* flow.begin
        yield* flow.close(0)
        yield* flow.interrupt(1)
        yield* TestClock.adjust("999 millis")
        yield* settled
        assert.deepStrictEqual(flow.begun(), [0, 1])
        yield* TestClock.adjust("1 second")
        yield* settled
        assert.deepStrictEqual(flow.begun(), [0, 1, 2, 3])
      })
  )

  it("are never more than may be, whatever happens, and none waits without need", () =>
    holds(
      fc.asyncProperty(
        fc.array(
          fc.tuple(
            fc.constantFrom("begin", "begin", "succeed", "fail", "close", "interrupt", "wait"),
            fc.nat(9)
          ),
          {
            maxLength: 30
          }
        ),
        (steps) =>
          Effect.runPromise(
            Effect.gen(function* () {
              const flow = attempts(new SlowStart(2))
              const waiting = new Set<number>()
              const underWay = new Set<number>()
              let [count, window, lingering] = [0, 2, 0]
              for (const [what, which] of steps) {
                if (what === "begin") {
                  if (waiting.size + underWay.size + lingering === 0) window = 2
                  waiting.add(count++)
                  yield* flow.begin
                } else if (what === "wait") {
                  lingering = 0
                  yield* TestClock.adjust("1 second")
                  yield* settled
                } else {
                  const open = [...underWay, ...(what === "interrupt" ? waiting : [])]
                  const index = open[which % open.length]
                  if (index === undefined) continue
                  yield* flow[what as "succeed"](index)
                  if (what === "succeed") window++
                  const isUnderWay = underWay.delete(index)
                  if (isUnderWay && (what === "close" || what === "interrupt")) lingering++
                  waiting.delete(index)
                }
                for (const next of waiting) {
                  if (underWay.size + lingering >= window) break
                  waiting.delete(next)
                  underWay.add(next)
                }
                for (let index = 0; index < count; index++) {
                  if (waiting.has(index)) assert.notInclude(flow.begun(), index)
                  if (underWay.has(index)) assert.include(flow.begun(), index)
                }
              }
            }).pipe(Effect.scoped, Effect.provide(TestClock.layer()))
          )
      ),
      { numRuns: 30 }
    ))
})

const at = "192.0.2.9:1080"
const from = NetAddress.inetAddressFromStringUnsafe("192.0.2.9:40000")

/** An upstream that passes each session back to the server. Returns the number of sessions that it got. */
const passingBack = Effect.gen(function* () {
  const { connect, target } = yield* Network
  let sessions = 0
  yield* target(at, ({ receive, send }) =>
    Effect.gen(function* () {
      yield* receive(3)
      yield* send([5, 0])
      const asked = yield* receive(10)
      sessions++
      const back = yield* connect({ from })
      yield* back.send([...greeting(0), ...asked])
      yield* send((yield* back.receive(12)).slice(2))
    }).pipe(Effect.scoped)
  )
  return () => sessions
})

/** The sessions that have ended. */
const endings = Effect.gen(function* () {
  const ended: Array<Readonly<Record<string, unknown>>> = []
  yield* (yield* Events).listen(["SessionEnded"], (event) => Effect.sync(() => void ended.push({ ...event })))
  return ended
})

/** The code of the reply to a client that asks for a target. */
const code = (host = "203.0.113.80") =>
  Effect.gen(function* () {
    const client = yield* (yield* Network).connect()
    yield* client.send([...greeting(0), ...request(host, 80)])
    return (yield* client.receive(12))[3]
  }).pipe(Effect.scoped)

describe("a server whose upstream passes sessions back", () => {
  it.effect("lets a session come round a few times, and ends all of them with the connect timeout", () =>
    Effect.gen(function* () {
      const ended = yield* endings
      const sessions = yield* passingBack
      const asking = yield* Effect.forkChild(code())
      for (let turn = 0; turn < 30; turn++) yield* settled
      // One of the client, and 16 of the upstream; the next one waits.
      assert.strictEqual(sessions(), 17)
      yield* TestClock.adjust("10 seconds")
      for (let turn = 0; turn < 30; turn++) yield* settled
      assert.strictEqual(yield* Fiber.join(asking), 1)
      assert.strictEqual(ended.length, 18)
      assert.strictEqual(sessions(), 17)
    }).pipe(Effect.scoped, Effect.provide(layerServer({ upstream: `socks5://${at}` })))
  )

  it.effect("still reaches other targets of the same upstream", () =>
    Effect.gen(function* () {
      const { target } = yield* Network
      yield* passingBack
      const asking = yield* Effect.forkChild(code())
      for (let turn = 0; turn < 30; turn++) yield* settled
      yield* target(at, upstream({ protocol: "socks5" }))
      assert.strictEqual(yield* code("203.0.113.81"), 0)
      // The client itself waits for one answer only: those that wait are sessions of the upstream.
      assert.strictEqual(yield* code(), 0)
      yield* Fiber.interrupt(asking)
    }).pipe(Effect.scoped, Effect.provide(layerServer({ upstream: `socks5://${at}` })))
  )
})

/** Clients of an upstream that never says whether it connects. */
const hanging = Effect.fnUntraced(function* (count: number) {
  yield* (yield* Network).target(at, upstream({ protocol: "socks5", fault: { _tag: "Hang", after: 2 } }))
  const all = Array.from({ length: count }, () => code())
  const asking = yield* Effect.forkChild(Effect.all(all, { concurrency: "unbounded" }))
  yield* settled
  return asking
})

it.effect("a session that gets its turn late has the time that is left", () =>
  Effect.gen(function* () {
    const ended = yield* endings
    const asking = yield* hanging(16)
    yield* TestClock.adjust("5 seconds")
    const late = yield* Effect.forkChild(code())
    yield* settled
    yield* TestClock.adjust("5 seconds")
    yield* Fiber.join(asking)
    yield* settled
    // The others have ended meanwhile, so it got a turn, with the time that was left.
    yield* TestClock.adjust("5 seconds")
    assert.strictEqual(yield* Fiber.join(late), 1)
    assert.strictEqual(ended.length, 17)
    for (const event of ended) assert.deepInclude(event, { outcome: "UpstreamTimeout", after: "request" })
  }).pipe(Effect.scoped, Effect.provide(layerServer({ upstream: `socks5://${at}` })))
)

it.effect("a session that gets no turn in time says so, and is no failure of the upstream", () =>
  Effect.gen(function* () {
    const ended = yield* endings
    const asking = yield* hanging(17)
    yield* TestClock.adjust("10 seconds")
    assert.deepStrictEqual(new Set(yield* Fiber.join(asking)), new Set([1]))
    yield* settled
    assert.deepStrictEqual(ended.map(({ after }) => after).toSorted(), [
      "queue",
      ...Array(16).fill("request")
    ])
    const late = ended.find(({ after }) => after === "queue")
    assert.deepInclude(late!, { outcome: "UpstreamTimeout", route: "upstream", upstream: `socks5://${at}` })
  }).pipe(Effect.scoped, Effect.provide(layerServer({ upstream: `socks5://${at}` })))
)
