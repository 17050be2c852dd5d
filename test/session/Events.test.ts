/**
 * What listeners are told, and that no listener holds up a session.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { accounts } from "../../examples/events.ts"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import { Bans } from "../../src/bans/Bans.ts"
import type * as Event from "../../src/session/Event.ts"
import { Events } from "../../src/session/Events.ts"
import { connect, layer, type Replacements } from "../../src/testing/index.ts"
import { captured } from "../support/logs.ts"
import { credentials, greeting, request } from "../support/messages.ts"
import { settled } from "../support/streams.ts"

const sessionTags = ["SessionBegun", "SessionDecided", "SessionConnected", "SessionEnded"] as const
const allTags = [...sessionTags, "LoginSucceeded", "LoginFailed", "NetworkBanned", "BanLifted"] as const

const alice = Authenticator.layerUsers([{ name: "alice", password: Redacted.make("secret") }])
const withUsers: Replacements = { authenticator: alice }

const provided = (replacements: Replacements = {}) => Layer.merge(layer(replacements), captured().layer)

/** All events that come from now on, in an array that grows. */
const collected = Effect.gen(function* () {
  const events: Array<Event.Event> = []
  yield* (yield* Events).listen(allTags, (event) => Effect.sync(() => void events.push(event)))
  return events
})

const session = Effect.fnUntraced(function* (password: string) {
  const client = yield* connect
  yield* client.send([
    ...greeting(0x02),
    ...credentials("alice", password),
    ...request("target.example", 80),
    ...Buffer.from("payload")
  ])
  yield* settled
  yield* TestClock.adjust("2 seconds")
  yield* client.end
  yield* client.rest
  yield* settled
})

const ended = (id: number): Event.SessionEnded => ({
  _tag: "SessionEnded",
  ...{ isAuthenticated: false, isAdmitted: false, rule: undefined },
  ...{ id, client: "203.0.113.7:50000", via: undefined, listener: "198.51.100.1:1080", protocol: undefined },
  ...{ user: undefined, command: undefined, target: undefined, address: undefined },
  ...{ outcome: "finished", sent: 0, received: 0, datagrams: undefined, dropped: undefined, duration: 0 }
})

describe("Events", () => {
  it.effect("report a session from its login to its end, with its bytes", () =>
    Effect.gen(function* () {
      const events = yield* collected
      yield* session("secret")
      const client = {
        id: 1,
        client: "203.0.113.7:50000",
        via: undefined,
        listener: "198.51.100.1:1080",
        protocol: "SOCKS5"
      } as const
      assert.deepStrictEqual(events, [
        {
          _tag: "LoginSucceeded",
          ...{ id: 1, client: client.client, user: "alice", method: "password" }
        },
        {
          _tag: "SessionBegun",
          ...{ ...client, startedAt: 0, user: "alice", command: "CONNECT", target: "target.example:80" }
        },
        {
          _tag: "SessionDecided",
          ...{ id: 1, verdict: "allow", rule: "no rules", reason: undefined, user: "alice" },
          ...{ client: "203.0.113.7", listener: client.listener, protocol: "SOCKS5", command: "CONNECT" },
          ...{ target: "target.example:80", addresses: ["192.0.2.1"], duration: 0 }
        },
        {
          _tag: "SessionConnected",
          ...{ id: 1, user: "alice", target: "target.example:80", address: "192.0.2.1:80", rule: "no rules" }
        },
        {
          ...ended(1),
          ...{ ...client, isAuthenticated: true, isAdmitted: true, rule: "no rules", user: "alice" },
          ...{ command: "CONNECT", target: "target.example:80", address: "192.0.2.1:80" },
          ...{ reply: 0, sent: 7, received: 7, duration: 2000 }
        }
      ])
    }).pipe(Effect.scoped, Effect.provide(provided(withUsers)))
  )

  it.effect("report a failed login, and the end of a session without a request", () =>
    Effect.gen(function* () {
      const events = yield* collected
      yield* session("wrong")
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag),
        ["LoginFailed", "SessionEnded"]
      )
      assert.deepInclude(events[0], { id: 1, user: "alice", reason: "wrong password", method: "password" })
      assert.deepInclude(events[1], {
        outcome: "AuthenticationFailed",
        isAuthenticated: false,
        isAdmitted: false,
        sent: 0
      })
    }).pipe(Effect.scoped, Effect.provide(provided(withUsers)))
  )

  it.effect("report bans and lifted bans", () =>
    Effect.gen(function* () {
      const events = yield* collected
      const network = IpNetwork.fromStringUnsafe("192.0.2.0/24")
      const { ban, lift } = yield* Bans
      yield* ban(network, Duration.minutes(1), "abuse")
      yield* lift(network)
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag),
        ["NetworkBanned", "BanLifted"]
      )
      assert.deepInclude(events[0], { network: "192.0.2.0/24", reason: "abuse", failures: 0 })
      assert.deepInclude(events[1], { network: "192.0.2.0/24" })
    }).pipe(Effect.scoped, Effect.provide(provided()))
  )

  it.effect("are enough for accounts, as in examples/events.ts", () => {
    const reports: Array<readonly [string, number]> = []
    return Effect.gen(function* () {
      yield* session("secret")
      yield* session("wrong")
      yield* session("secret")
      assert.deepStrictEqual(reports, [
        ["alice", 14],
        ["alice", 28]
      ])
    }).pipe(
      Effect.provide(
        Layer.provideMerge(
          accounts((user, bytes) => void reports.push([user, bytes])),
          provided(withUsers)
        )
      )
    )
  })

  it.effect("are not made without a listener of their kind", () =>
    Effect.gen(function* () {
      const { to, listen, onInterest } = yield* Events
      const interest: Array<ReadonlyArray<Event.Tag>> = []
      yield* onInterest((tags) => void interest.push(tags))
      // The log.
      assert.deepStrictEqual(interest, [["ClientTurnedAway", "SessionEnded"]])
      assert.isUndefined(to.SessionBegun)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* listen(["SessionBegun"], () => Effect.void)
          assert.isDefined(to.SessionBegun)
        })
      )
      assert.isUndefined(to.SessionBegun)
      assert.isDefined(to.SessionEnded)
      assert.deepStrictEqual(interest.slice(1), [
        ["ClientTurnedAway", "SessionEnded", "SessionBegun"],
        ["ClientTurnedAway", "SessionEnded"]
      ])
    }).pipe(Effect.scoped, Effect.provide(provided()))
  )

  it.effect("come in a stream, which delays no session and counts the events beyond its room", () =>
    Effect.gen(function* () {
      const { emit, stream } = yield* Events
      const seen: Array<Event.SessionEnded | Event.EventsMissed> = []
      let isSlow = true
      const reading = yield* Effect.forkChild(
        Stream.runForEach(stream(["SessionEnded"], { capacity: 2 }), (event) => {
          seen.push(event)
          return isSlow ? Effect.sleep("1 second") : Effect.void
        }),
        { startImmediately: true }
      )
      yield* settled
      yield* emit(ended(1))
      yield* settled
      // While the first one is read.
      for (const id of [2, 3, 4, 5, 6]) yield* emit(ended(id))
      isSlow = false
      yield* TestClock.adjust("10 seconds")
      yield* emit(ended(7))
      yield* settled
      assert.deepStrictEqual(
        seen.map((event) => (event._tag === "EventsMissed" ? `missed ${event.count}` : event.id)),
        [1, 2, 3, "missed 3", 7]
      )
      yield* Fiber.interrupt(reading)
    }).pipe(Effect.provide(provided()))
  )

  it.effect("come in a stream of all kinds", () =>
    Effect.gen(function* () {
      const { emit, stream } = yield* Events
      const reading = yield* Effect.forkChild(Stream.runCollect(Stream.take(stream(), 2)), {
        startImmediately: true
      })
      yield* settled
      yield* emit(ended(1))
      yield* emit({ _tag: "ReloadFailed", reason: "a mistake" })
      assert.deepStrictEqual(
        (yield* Fiber.join(reading)).map(({ _tag }) => _tag),
        ["SessionEnded", "ReloadFailed"]
      )
    }).pipe(Effect.provide(provided()))
  )

  it.effect("reach several listeners, each with its own kinds", () =>
    Effect.gen(function* () {
      const { emit, listen, to } = yield* Events
      const heard: Array<string> = []
      const note = (name: string) => (event: Event.Event) =>
        Effect.sync(() => void heard.push(`${name} ${event._tag}`))
      yield* listen(["SessionEnded", "BanLifted"], note("one"))
      yield* listen(["BanLifted"], note("two"))
      yield* emit({ _tag: "BanLifted", network: "192.0.2.0/24" })
      yield* emit({ _tag: "ReloadFailed", reason: "unheard" })
      assert.isUndefined(to.ReloadFailed)
      assert.deepStrictEqual(heard, ["one BanLifted", "two BanLifted"])
    }).pipe(Effect.scoped, Effect.provide(Events.layer))
  )
})
