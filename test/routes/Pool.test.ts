/**
 * Routes with members, of a server on a network in memory: what a session gets when members fail.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { Reload } from "../../src/library/Reload.ts"
import { Server } from "../../src/library/Server.ts"
import type { RouteOptions, ServerOptions } from "../../src/library/ServerOptions.ts"
import { Events } from "../../src/session/Events.ts"
import { layerServer, Network, type UpstreamOptions, upstream } from "../../src/testing/index.ts"
import { credentials, greeting, request } from "../support/messages.ts"
import { settled } from "../support/streams.ts"

const names = ["a", "b", "c"] as const
const place = (name: string) => `192.0.2.${names.indexOf(name as "a") + 1}:1080`

/** A server whose targets are behind these members, each of which says its name in the place of a target. */
const pool = (
  options: Omit<RouteOptions, "name" | "members">,
  settings: ServerOptions = {}
): ServerOptions => ({
  routes: {
    name: "pool",
    members: names.map((name) => ({ name, via: `socks5://${place(name)}` })),
    ...options
  },
  rules: { allow: true, route: "pool" },
  ...settings
})

const play = Effect.fnUntraced(function* (name: string, options: Partial<UpstreamOptions> = {}) {
  const { target } = yield* Network
  yield* target(place(name), upstream({ protocol: "socks5", target: ({ send }) => send(name), ...options }))
})

/** The member that a session gets, or the code of its failure. */
const asked = Effect.gen(function* () {
  const client = yield* (yield* Network).connect()
  yield* client.send([...greeting(0), ...request("203.0.113.80", 80)])
  const [, , , code] = yield* client.receive(12)
  yield* client.end
  const rest = Buffer.from(yield* client.rest).toString()
  yield* settled
  return code === 0 ? rest : code
}).pipe(Effect.scoped)

const times = (count: number) => Effect.replicateEffect(asked, count)

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

  it.effect("fails if all members fail, and never connects directly", () =>
    Effect.gen(function* () {
      yield* (yield* Network).target("203.0.113.80:80", () => Effect.die("went directly"))
      assert.deepStrictEqual(yield* times(6), [1, 1, 1, 1, 1, 1])
    }).pipe(Effect.scoped, Effect.provide(layerServer(pool({}))))
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
