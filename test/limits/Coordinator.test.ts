/**
 * Servers that count together: the members of one seat, which is in the same
 * process here.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import type { Coordinator, News, Report } from "../../src/limits/Coordinator.ts"
import { CoordinatorMember } from "../../src/limits/CoordinatorMember.ts"
import { CoordinatorSeat } from "../../src/limits/CoordinatorSeat.ts"
import * as Config from "../../src/server/Config.ts"
import { Events } from "../../src/session/Events.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { begin, lot } from "../support/sessions.ts"
import { settled } from "../support/streams.ts"
import { received } from "../support/usage.ts"

/** A seat in this process. */
const seat = Layer.provideMerge(CoordinatorSeat.layerLocal, Layer.orDie(CoordinatorSeat.layer(2)))

/** A member of it, until its scope closes. */
const join = Effect.gen(function* () {
  const scope = yield* Scope.make()
  const services = SessionRegistry.layer.pipe(
    Layer.provide(Events.layer),
    Layer.provideMerge(CoordinatorMember.services),
    Layer.provideMerge(CoordinatorMember.layer),
    Layer.merge(lot(0.999_999))
  )
  const context = yield* Layer.buildWithScope(Layer.fresh(services), scope)
  return {
    ...Context.get(context, CoordinatorMember),
    sessions: Context.get(context, SessionRegistry),
    leave: Scope.close(scope, Exit.void),
    /** A session of alice's, or why there is none. */
    begin: begin({ identity: { user: "alice" } }).pipe(
      Effect.match({ onSuccess: ({ close }) => close, onFailure: ({ _tag }) => _tag }),
      Effect.provide(context)
    )
  }
})

type Joined = Effect.Success<typeof join>

const together = <A, E>(
  values: Partial<Config.Values>,
  test: (one: Joined, other: Joined) => Effect.Effect<A, E, Coordinator | Config.Sections | CoordinatorSeat>
) =>
  Effect.gen(function* () {
    return yield* test(yield* join, yield* join)
  }).pipe(Effect.provide(Layer.provideMerge(seat, Config.layer(values))))

/** So many sessions at one, and how many of them began. */
const many = (member: Joined, count: number) =>
  Effect.map(Effect.all(new Array<Joined["begin"]>(count).fill(member.begin)), (begun) => ({
    closes: begun.filter((one) => typeof one !== "string"),
    refusals: begun.filter((one) => typeof one === "string")
  }))

const now = Date.now

describe("servers that count together", () => {
  it.effect("give a freed slot to a session that waits when the call that freed the slot has ended", () =>
    together({}, ({ counters: { slots, requestMore } }) =>
      Effect.gen(function* () {
        const ask = requestMore!({ kind: "slot", key: "one", limit: 1 })
        const first = yield* ask
        if ("release" in first) first.release()
        slots.change("one", 1)
        let isAnswered = false
        yield* Effect.forkChild(
          Effect.map(ask, (grant) => {
            isAnswered = "release" in grant
          }),
          { startImmediately: true }
        )
        slots.change("one", -1)
        // Here the caller may be between the check and the count of another limit.
        assert.isFalse(isAnswered)
        yield* settled
        assert.isTrue(isAnswered)
      })
    )
  )

  it.effect("share a limit of sessions, and free those of a server that ended", () =>
    together({ maxSessionsPerUser: 10 }, (one, other) =>
      Effect.gen(function* () {
        const first = yield* many(one, 6)
        const second = yield* many(other, 6)
        assert.deepStrictEqual([first.closes.length, second.closes.length], [6, 4])
        assert.deepStrictEqual(second.refusals, ["SessionLimitReached", "SessionLimitReached"])
        yield* first.closes[0]!
        assert.lengthOf((yield* many(other, 2)).closes, 1)
        yield* one.leave
        yield* settled
        assert.lengthOf((yield* many(other, 7)).closes, 5)
      })
    )
  )

  it.effect("count the sessions that began before there was a limit", () =>
    together({}, (one, other) =>
      Effect.gen(function* () {
        yield* many(one, 3)
        yield* one.sessions.limitsChanged
        const { closes } = yield* many(other, 3)
        assert.lengthOf(closes, 1)
      }).pipe(Effect.provide(Config.layer({ maxSessionsPerUser: 4 })))
    )
  )

  it.effect("share a limit of new sessions a second", () =>
    together({ sessionRate: 5 }, (one, other) =>
      Effect.gen(function* () {
        const first = yield* many(one, 4)
        const second = yield* many(other, 4)
        assert.deepStrictEqual([first.closes.length, second.closes.length], [4, 1])
        assert.deepStrictEqual(new Set(second.refusals), new Set(["TooManyNewSessions"]))
      })
    )
  )

  it.effect("give their sessions different numbers", () =>
    together({}, (one, other) =>
      Effect.sync(() => {
        const ids = [one, other, one, other].map(({ counters }) => counters.nextId())
        assert.strictEqual(new Set(ids).size, 4)
      })
    )
  )

  it.effect("report their usage to each other each second", () =>
    together({}, (one, other) =>
      Effect.gen(function* () {
        one.usage.add("user alice", received(1000), now())
        other.usage.add("user alice", received(10), now())
        assert.strictEqual(other.usage.of("user alice", now()).day, 10)
        yield* TestClock.adjust("2 seconds")
        yield* settled
        for (const { usage } of [one, other]) assert.strictEqual(usage.of("user alice", now()).day, 1010)
        // Also what one has moved at its very end.
        one.usage.add("user alice", received(1), now())
        yield* one.leave
        yield* TestClock.adjust("2 seconds")
        yield* settled
        assert.strictEqual(other.usage.of("user alice", now()).day, 1011)
      })
    )
  )

  it.effect("share a rate", () =>
    together({}, (one, other) =>
      Effect.gen(function* () {
        const shares = [0, 0]
        for (const [index, member] of [one, other].entries()) {
          member.shares.enter("total", (share) => {
            shares[index] = share
          })
        }
        yield* settled
        assert.deepStrictEqual(shares, [0.5, 0.5])
        yield* one.leave
        yield* settled
        assert.strictEqual(shares[1], 1)
      })
    )
  )

  it.effect("have one name in Via, which differs from other servers", () =>
    Effect.gen(function* () {
      const nameOf = together({}, (one, other) =>
        Effect.sync(() => {
          assert.match(one.pseudonym, /^effect-socks-[0-9a-f]{8}$/)
          assert.strictEqual(one.pseudonym, other.pseudonym)
          return one.pseudonym
        })
      )
      assert.notStrictEqual(yield* nameOf, yield* nameOf)
    })
  )
})

describe("a right login", () => {
  const parts = ["alice", "$scrypt$hash", "secret"].map((text) => new TextEncoder().encode(text))
  const knows = ({ remembered }: Joined) => remembered.has(remembered.digest(...parts), now())

  it.effect("is known to all members, and to a member that joins later", () =>
    together({}, (one, other) =>
      Effect.gen(function* () {
        one.remembered.add(one.remembered.digest(...parts), now())
        yield* settled
        assert.isTrue(knows(other))
        yield* one.leave
        yield* other.leave
        assert.isTrue(knows(yield* join))
      })
    )
  )

  it.effect("is sent as a hash, to all members but its sender", () =>
    together({}, () =>
      Effect.gen(function* () {
        const { enter, receive } = yield* CoordinatorSeat
        const told: Array<News> = []
        const [from, to] = [
          { send: () => assert.fail("told again") },
          { send: (news: News) => void told.push(news) }
        ]
        enter(from)
        enter(to)
        const member = yield* join
        const report: Report = {
          _tag: "logins",
          logins: [[member.remembered.digest(...parts), now() + 1000]]
        }
        receive(from, report)
        assert.deepStrictEqual(told, [report])
        assert.notMatch(JSON.stringify(told), /alice|scrypt|secret/)
      })
    )
  )

  it.effect("is unknown to another server", () =>
    Effect.gen(function* () {
      const digestOf = together({}, ({ remembered }) => Effect.succeed(remembered.digest(...parts)))
      assert.notStrictEqual(yield* digestOf, yield* digestOf)
    })
  )
})
