/**
 * Streams of events, with readers that read and readers that do not.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as EventHub from "../../src/admin/EventHub.ts"
import type * as Event from "../../src/session/Event.ts"
import { Events } from "../../src/session/Events.ts"

const subject = (name = "bans", more: Partial<EventHub.Subject> = {}): EventHub.Subject => ({
  ...{ name, tags: ["NetworkBanned", "BanLifted"], isAsked: () => true, alive: "alive\n" },
  textOf: (event) => `${event._tag === "EventsMissed" ? `missed ${event.count}` : event._tag}\n`,
  ...more
})

const lifted: Event.BanLifted = { _tag: "BanLifted", network: "192.0.2.1/32" }

/** An output that keeps what is written, and whose reader may stand still. */
const output = () => {
  const state = { text: "", writes: [] as Uint8Array[], waiting: 0, isClosed: false }
  return {
    state,
    write: (bytes: Uint8Array) => {
      state.writes.push(bytes)
      state.text += new TextDecoder().decode(bytes)
    },
    waiting: () => state.waiting,
    close: () => {
      state.isClosed = true
    }
  }
}

describe("streams of events", () => {
  it.effect("of one subject are one listener, and share their bytes", () =>
    Effect.gen(function* () {
      const events = yield* Events
      let texts = 0
      const counting = subject("bans", { textOf: ({ _tag }) => `${_tag} ${++texts}\n` })
      const hub = yield* EventHub.make(events)
      const readers = Array.from({ length: 50 }, output)
      for (const reader of readers) yield* hub.follow(counting, reader)
      yield* events.emit(lifted)
      yield* events.emit(lifted)
      yield* TestClock.adjust("250 millis")
      assert.strictEqual(texts, 2)
      for (const { state } of readers) {
        assert.strictEqual(state.text, "alive\nBanLifted 1\nBanLifted 2\n")
        assert.strictEqual(state.writes[1], readers[0]!.state.writes[1])
      }
      yield* TestClock.adjust("15 seconds")
      assert.include(readers[0]!.state.text.slice(8), "alive")
    }).pipe(Effect.scoped, Effect.provide(Events.layer))
  )

  it.effect("listen as long as they have readers, and only to what is asked for", () =>
    Effect.gen(function* () {
      const events = yield* Events
      const hub = yield* EventHub.make(events)
      const scopes = [yield* Scope.make(), yield* Scope.make()]
      const reader = output()
      for (const scope of scopes) {
        yield* Scope.provide(hub.follow(subject("none", { isAsked: () => false }), reader), scope)
      }
      assert.isDefined(events.to.BanLifted)
      assert.isUndefined(events.to.SessionEnded)
      yield* events.emit(lifted)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(reader.state.text, "alive\nalive\n")
      yield* Scope.close(scopes[0]!, Exit.void)
      assert.isDefined(events.to.BanLifted)
      yield* Scope.close(scopes[1]!, Exit.void)
      assert.isUndefined(events.to.BanLifted)
      assert.isUndefined(events.to.EventsMissed)
    }).pipe(Effect.scoped, Effect.provide(Events.layer))
  )

  it.effect("are bounded, also of readers that do not read, which are closed in the end", () =>
    Effect.gen(function* () {
      const events = yield* Events
      const hub = yield* EventHub.make(events)
      const [slow, stuck, good] = [output(), output(), output()]
      for (const reader of [slow, stuck, good]) yield* hub.follow(subject(), reader)
      for (let i = 0; i < 300; i++) yield* events.emit(lifted)
      yield* TestClock.adjust("250 millis")
      assert.match(good.state.text, /^alive\n(BanLifted\n){256}missed 44\n$/)
      slow.state.waiting = stuck.state.waiting = 1e6
      for (let i = 0; i < 20; i++) {
        yield* events.emit(lifted)
        yield* TestClock.adjust("500 millis")
      }
      slow.state.waiting = 0
      yield* events.emit(lifted)
      yield* TestClock.adjust("1 second")
      assert.match(slow.state.text, /missed 2\d\nBanLifted\n$/)
      assert.isFalse(stuck.state.isClosed)
      yield* TestClock.adjust("30 seconds")
      assert.isTrue(stuck.state.isClosed)
      assert.isFalse(slow.state.isClosed)
    }).pipe(Effect.scoped, Effect.provide(Events.layer))
  )

  it.effect("are bounded in number", () =>
    Effect.gen(function* () {
      const hub = yield* EventHub.make(yield* Events)
      for (let i = 0; i < EventHub.mostStreams; i++) yield* hub.follow(subject(`${i % 3}`), output())
      const refused = yield* Effect.flip(hub.follow(subject(), output()))
      assert.strictEqual(refused._tag, "TooManyStreams")
    }).pipe(Effect.scoped, Effect.provide(Events.layer))
  )
})
