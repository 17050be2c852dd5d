/**
 * The events of workers, on their way to the primary.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Event from "../../src/session/Event.ts"
import { Events } from "../../src/session/Events.ts"
import * as EventForward from "../../src/workers/EventForward.ts"
import * as EventInterest from "../../src/workers/EventInterest.ts"
import { settled } from "../support/streams.ts"

const lifted = (network: string): Event.BanLifted => ({ _tag: "BanLifted", network })
const turnedAway: Event.ClientTurnedAway = { _tag: "ClientTurnedAway", lack: "sessions" }

/** A primary with one worker, and all messages between them as the text that they are on their way. */
const world = Effect.fnUntraced(function* () {
  const primary = yield* Events
  const sent: Array<string> = []
  /** Whether the channel takes what is sent. */
  const channel = { isOpen: true, opened: Deferred.makeUnsafe<void>() }
  const interest = yield* EventInterest.make<EventInterest.Subscriber>()
  const begin = Effect.gen(function* () {
    const interests = yield* Queue.unbounded<ReadonlyArray<Event.Tag>>()
    const worker: EventInterest.Subscriber = {
      send: ({ tags }) => {
        sent.push(`listen ${tags}`)
        Queue.offerUnsafe(interests, tags)
      }
    }
    const { tags } = interest.enter(worker)
    const scope = yield* Scope.make()
    const link = {
      welcome: { tags },
      listen: Queue.take(interests),
      send: (message: object) => {
        const text = JSON.stringify(message)
        const { _tag, events } = JSON.parse(text)
        sent.push(`${_tag} ${events.map(({ _tag: tag }: Event.Event) => tag)}`)
        interest.receive(JSON.parse(text))
      },
      flush: Effect.suspend(() => (channel.isOpen ? Effect.void : Deferred.await(channel.opened)))
    }
    const context = yield* Layer.buildWithScope(
      Layer.provideMerge(EventForward.layer(link), Layer.fresh(Events.layer)),
      scope
    )
    const { emit } = yield* Effect.provide(Events, context)
    yield* settled
    return { emit, end: Scope.close(scope, Exit.void) }
  })
  return { primary, sent, channel, begin }
})

const test = (name: string, body: Effect.Effect<void, never, Events | Scope.Scope>) =>
  it.effect(name, () => Effect.provide(Effect.scoped(body), Events.layer))

describe("Workers' events", () => {
  test(
    "are sent only while the primary has a listener of their kind",
    Effect.gen(function* () {
      const { primary, sent, begin } = yield* world()
      const worker = yield* begin
      const heard: Array<Event.Event> = []
      yield* worker.emit(lifted("192.0.2.1/32"))
      yield* settled
      assert.deepStrictEqual(sent, [])
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* primary.listen(["BanLifted"], (event) => Effect.sync(() => void heard.push(event)))
          yield* settled
          yield* worker.emit(lifted("192.0.2.2/32"))
          yield* worker.emit(turnedAway)
          yield* settled
          assert.deepStrictEqual(heard, [lifted("192.0.2.2/32")])
        })
      )
      yield* settled
      yield* worker.emit(lifted("192.0.2.3/32"))
      yield* settled
      assert.deepStrictEqual(sent, ["listen BanLifted", "events BanLifted", "listen "])
    })
  )

  test(
    "are sent from the start by a worker that starts after the listener",
    Effect.gen(function* () {
      const { primary, sent, begin } = yield* world()
      yield* primary.listen(["BanLifted"], () => Effect.void)
      const worker = yield* begin
      yield* worker.emit(lifted("192.0.2.1/32"))
      yield* settled
      assert.deepStrictEqual(sent, ["events BanLifted"])
    })
  )

  test(
    "of one kind are not lost when another kind is listened to, too",
    Effect.gen(function* () {
      const { primary, channel, begin } = yield* world()
      const worker = yield* begin
      const heard: Array<string> = []
      const note = ({ network }: Event.BanLifted) => Effect.sync(() => void heard.push(network))
      yield* primary.listen(["BanLifted"], note)
      yield* settled
      channel.isOpen = false
      yield* worker.emit(lifted("1"))
      yield* settled
      yield* worker.emit(lifted("2"))
      yield* Effect.scoped(primary.listen(["ClientTurnedAway"], () => Effect.void))
      yield* settled
      yield* worker.emit(lifted("3"))
      channel.isOpen = true
      yield* Deferred.succeed(channel.opened, undefined)
      yield* settled
      assert.deepStrictEqual(heard, ["1", "2", "3"])
    })
  )

  test(
    "that the primary does not take in time are dropped and counted",
    Effect.gen(function* () {
      const { primary, channel, begin } = yield* world()
      const worker = yield* begin
      let count = 0
      let missed = 0
      const reading = yield* Effect.forkChild(
        Stream.runForEach(primary.stream(["BanLifted"], { capacity: 10_000 }), (event) =>
          Effect.sync(() => {
            if (event._tag === "BanLifted") count++
            else missed += event.count
          })
        ),
        { startImmediately: true }
      )
      yield* settled
      channel.isOpen = false
      yield* worker.emit(lifted("first"))
      yield* settled
      for (let i = 0; i < 5000; i++) yield* worker.emit(lifted(`${i}`))
      channel.isOpen = true
      yield* Deferred.succeed(channel.opened, undefined)
      yield* settled
      assert.deepStrictEqual([count, missed], [1 + 4096, 5000 - 4096])
      yield* Fiber.interrupt(reading)
    })
  )

  test(
    "that remain at the end of a worker are sent",
    Effect.gen(function* () {
      const { primary, channel, begin } = yield* world()
      const worker = yield* begin
      const heard: Array<string> = []
      yield* primary.listen(["BanLifted"], ({ network }) => Effect.sync(() => void heard.push(network)))
      yield* settled
      channel.isOpen = false
      yield* worker.emit(lifted("1"))
      yield* settled
      yield* worker.emit(lifted("2"))
      yield* worker.end
      yield* settled
      assert.deepStrictEqual(heard, ["1", "2"])
    })
  )
})
