/**
 * Routes with members, of a server on a network in memory: what a session gets when members fail.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { Reload } from "../../src/library/Reload.ts"
import { Server } from "../../src/library/Server.ts"
import { Events } from "../../src/session/Events.ts"
import { layerServer, Network } from "../../src/testing/index.ts"
import { credentials, greeting, request } from "../support/messages.ts"
import { names, place, play, pool, times } from "../support/pools.ts"
import { settled } from "../support/streams.ts"

describe("a route with members", () => {
  it.effect("gives each session the next one, and its name is in the events", () =>
    Effect.gen(function* () {
      for (const name of names) yield* play(name)
      const ways: Array<unknown> = []
      yield* (yield* Events).listen(["SessionEnded"], ({ route, member, egress }) =>
        Effect.sync(() => void ways.push([route, member, egress]))
      )
      assert.deepStrictEqual(yield* times(4), ["a", "b", "c", "a"])
      assert.deepStrictEqual(ways[1], ["pool", "b", "198.51.100.77"])
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}))))
  )

  it.effect("gives a session with a parameter a member that has it as a label, or none", () =>
    Effect.gen(function* () {
      for (const name of names) yield* play(name)
      const as = (user: string) =>
        Effect.gen(function* () {
          const client = yield* (yield* Network).connect()
          yield* client.send([...greeting(2), ...credentials(user, "secret"), ...request("203.0.113.80", 80)])
          const [, , , , , code] = yield* client.receive(14)
          yield* client.end
          const rest = Buffer.from(yield* client.rest).toString()
          yield* settled
          return code === 0 ? rest : code
        }).pipe(Effect.scoped)
      const german = yield* Effect.replicateEffect(as("alice-country-de"), 4)
      assert.deepStrictEqual(german, ["b", "c", "b", "c"])
      assert.deepStrictEqual(yield* Effect.replicateEffect(as("alice-country-fr"), 2), ["a", "a"])
      assert.deepStrictEqual(yield* as("alice-country-es"), 7)
      assert.sameMembers(yield* Effect.replicateEffect(as("alice"), 3), ["a", "b", "c"])
      // A member that fails is replaced by another one with the label, and by no other.
      yield* play("b", { fault: { _tag: "RefuseLogin" }, login: "x:y" })
      assert.deepStrictEqual(yield* Effect.replicateEffect(as("alice-country-de"), 4), ["c", "c", "c", "c"])
      yield* play("c", { fault: { _tag: "RefuseLogin" }, login: "x:y" })
      assert.deepStrictEqual(yield* Effect.replicateEffect(as("alice-country-de"), 4), [1, 1, 1, 1])
    }).pipe(
      Effect.scoped,
      Effect.provide(
        layerServer({
          users: Redacted.make("alice:secret"),
          userParameters: "country:de|fr|es",
          routes: {
            name: "pool",
            members: names.map((name) => ({
              ...{ name, via: `socks5://${place(name)}` },
              labels: `country=${name === "a" ? "fr" : "de"}`
            }))
          },
          rules: { allow: true, route: "pool" }
        })
      )
    )
  )

  it.effect("gives a client the same one each time, if sessions stick to their client", () =>
    Effect.gen(function* () {
      for (const name of names) yield* play(name)
      const [first, ...others] = yield* times(5)
      assert.isTrue(others.every((other) => other === first))
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({ choose: "sticky", stickyBy: "client" }))))
  )

  it.effect("tells of its members, of their failures, and when they are left alone and work again", () =>
    Effect.gen(function* () {
      const told: Array<unknown> = []
      const { listen } = yield* Events
      yield* listen(["UpstreamFailed"], ({ route, member, outcome }) =>
        Effect.sync(() => void told.push([route, member, outcome]))
      )
      yield* listen(["UpstreamChanged"], ({ route, member, isUp, reason }) =>
        Effect.sync(() => void told.push([route, member, isUp, reason]))
      )
      for (const name of ["b", "c"]) yield* play(name)
      yield* times(9)
      const failure = ["pool", "a", "UpstreamUnreachable"]
      assert.deepStrictEqual(told.slice(0, 3), [failure, failure, failure])
      const [route, member, isUp, reason] = told[3] as ReadonlyArray<unknown>
      assert.deepStrictEqual([route, member, isUp], ["pool", "a", false])
      assert.include(String(reason), place("a"))
      const { upstreams } = yield* Server
      const [a, b] = yield* upstreams
      assert.deepInclude(a, { route: "pool", member: "a", isUp: false, since: 0, failures: 3, sessions: 0 })
      assert.deepInclude(b, { member: "b", isUp: true, since: undefined, failures: 0, error: undefined })
      yield* play("a")
      yield* TestClock.adjust("10 seconds")
      yield* times(3)
      assert.deepStrictEqual(told.slice(4), [["pool", "a", true, undefined]])
      assert.deepInclude((yield* upstreams)[0], { isUp: true, since: 10_000, failures: 3, error: undefined })
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}))))
  )

  it.effect("finds failing members by health checks, before a session does", () =>
    Effect.gen(function* () {
      const checked: Array<string> = []
      yield* play("a", { onRequest: (target) => checked.push(target) })
      yield* play("b", { fault: { _tag: "Answer", code: 1 } })
      yield* TestClock.adjust("20 seconds")
      yield* settled
      assert.deepStrictEqual([...new Set(checked)], ["203.0.113.99:443"])
      assert.deepStrictEqual(yield* times(4), ["a", "a", "a", "a"])
      yield* play("b")
      yield* TestClock.adjust("20 seconds")
      yield* settled
      assert.include(yield* times(3), "b")
    }).pipe(
      Effect.scoped,
      Effect.provide(layerServer(pool({ check: { target: "203.0.113.99:443", every: "10 seconds" } })))
    )
  )

  it.effect("keeps what was seen of its members over a reload, and of those whose login stays only", () =>
    Effect.gen(function* () {
      let tries = 0
      yield* (yield* Network).target(place("a"), () =>
        Effect.andThen(
          Effect.sync(() => tries++),
          Effect.fail("reset")
        )
      )
      yield* play("b")
      yield* times(6)
      assert.strictEqual(tries, 3)
      const reload = yield* Reload
      const without = (name: string) => ({
        ...pool({}),
        routes: {
          name: "pool",
          members: names
            .filter((other) => other !== name)
            .map((name) => ({ name, via: `socks5://${place(name)}` }))
        }
      })
      yield* reload(without("c"))
      assert.deepStrictEqual(yield* times(4), ["b", "b", "b", "b"])
      assert.strictEqual(tries, 3)
      yield* reload({
        ...pool({}),
        routes: {
          name: "pool",
          members: [`socks5://alice:secret@${place("a")}`, `socks5://${place("b")}`]
        }
      })
      assert.deepStrictEqual(yield* times(1), ["b"])
      assert.strictEqual(tries, 4)
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}))))
  )

  it.effect("counts the sessions that are open over a reload", () =>
    Effect.gen(function* () {
      for (const name of names)
        yield* play(name, { target: ({ send, rest }) => Effect.andThen(send(name), rest) })
      const open = Effect.gen(function* () {
        const client = yield* (yield* Network).connect()
        yield* client.send([...greeting(0), ...request("203.0.113.80", 80)])
        return Buffer.from((yield* client.receive(13)).subarray(12)).toString()
      })
      assert.deepStrictEqual([yield* open, yield* open], ["a", "b"])
      yield* (yield* Reload)(pool({ choose: "least-sessions" }))
      assert.deepStrictEqual([yield* open, yield* open], ["c", "a"])
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({ choose: "least-sessions" }))))
  )

  it.effect("is checked no more by settings that are no longer in force", () =>
    Effect.gen(function* () {
      const checked: Array<string> = []
      yield* play("a", { onRequest: (target) => checked.push(target), target: ({ rest }) => rest })
      const client = yield* (yield* Network).connect()
      yield* client.send([...greeting(0), ...request("203.0.113.80", 80)])
      yield* client.receive(12)
      // The session keeps the first settings alive.
      yield* (yield* Reload)(pool({}))
      checked.length = 0
      yield* TestClock.adjust("1 minute")
      yield* settled
      assert.deepStrictEqual(checked, [])
    }).pipe(
      Effect.scoped,
      Effect.provide(layerServer(pool({ check: { target: "203.0.113.99:443", every: "10 seconds" } })))
    )
  )
})
