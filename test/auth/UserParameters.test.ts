/**
 * User names that carry parameters, and the sessions of those who log in with them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import * as UserParameters from "../../src/auth/UserParameters.ts"
import { Events } from "../../src/session/Events.ts"
import { layerServer, Network, type Peer, upstream } from "../../src/testing/index.ts"
import { credentials, greeting, request } from "../support/messages.ts"
import { settled } from "../support/streams.ts"

const declared = ["session", "country:de|fr", "slot:number", "life:ttl"].map((text) =>
  Option.getOrThrow(UserParameters.fromString(text))
)

/** Plays three members, and says which one a session of the user gets; undefined if the login fails. */
const members = Effect.gen(function* () {
  const { connect, target } = yield* Network
  for (const name of ["1", "2", "3"]) {
    const options = { protocol: "socks5", target: ({ send }: Peer) => send(name) } as const
    yield* target(`192.0.2.${name}:1080`, upstream(options))
  }
  return (name: string) =>
    Effect.gen(function* () {
      const client = yield* connect()
      yield* client.send([...greeting(2), ...credentials(name, "secret"), ...request("203.0.113.80", 80)])
      const [, , , status] = yield* client.receive(4)
      if (status !== 0) return undefined
      yield* client.receive(10)
      yield* client.end
      const member = Buffer.from(yield* client.rest).toString()
      yield* settled
      return member
    }).pipe(Effect.scoped)
})

/** A server whose sessions stick to a member by a parameter. */
const sticky = layerServer({
  users: [Redacted.make("alice:secret"), Redacted.make("bob:secret")],
  userParameters: ["session", "life:ttl"],
  routes: {
    name: "pool",
    members: ["socks5://192.0.2.1", "socks5://192.0.2.2", "socks5://192.0.2.3"],
    choose: "sticky",
    stickyBy: "session"
  },
  rules: { allow: true, route: "pool" }
})

describe("the parameters of a user name", () => {
  it("are taken off its end, in any order", () => {
    const read = (text: string) => UserParameters.read(declared, text)
    assert.deepStrictEqual(read("alice"), { user: "alice", parameters: {} })
    assert.deepStrictEqual(read("mary-ann-slot-7-session-4_2-country-de"), {
      user: "mary-ann",
      parameters: { slot: "7", session: "4_2", country: "de" }
    })
    // Nothing of it is declared: it is a name as any other.
    assert.deepStrictEqual(read("alice-zone-7"), { user: "alice-zone-7", parameters: {} })
  })

  it("are refused if they are not declared, or have no such value", () => {
    const refused = (text: string) => {
      const found = UserParameters.read(declared, text)
      return "refused" in found ? found.refused : undefined
    }
    assert.strictEqual(refused("alice-session-42-zone-7"), "undeclared parameter")
    for (const text of ["life-0s", "life-10", "life-1.5h", "life-500ms", "life-31d", "life-s"]) {
      assert.strictEqual(refused(`alice-${text}`), "invalid parameter", text)
    }
    for (const text of ["life-1s", "life-10m", "life-720h", "life-30d"]) {
      assert.isUndefined(refused(`alice-${text}`), text)
    }
    for (const text of ["country-us", "slot-a", "session", "session-", "session-a b", "slot-1-slot-2"]) {
      assert.strictEqual(refused(`alice-${text}`), "invalid parameter", text)
    }
  })

  it("are declared by a name, and what it may be", () => {
    for (const text of ["", "session-id", "a:", "a:b||c", "a:b-c", "1a", "session:"]) {
      assert.isTrue(Option.isNone(UserParameters.fromString(text)), text)
    }
  })

  it("are refused together if they are ambiguous", () => {
    const conflict = (...texts: ReadonlyArray<string>) =>
      UserParameters.conflict(texts.map((text) => Option.getOrThrow(UserParameters.fromString(text))))
    assert.isUndefined(conflict("session", "country:de|fr", "life:ttl"))
    assert.deepInclude(conflict("session", "session:number"), { value: '"session"' })
    assert.deepInclude(conflict("life:ttl", "age:ttl"), { value: '"age:ttl"' })
    assert.deepInclude(conflict("user"), { expected: "a name other than user and client" })
  })

  it.effect("choose anew after a time to live, at the same member until then", () =>
    Effect.gen(function* () {
      const memberOf = yield* members
      const during = yield* Effect.replicateEffect(memberOf("alice-session-7-life-10m"), 3)
      assert.strictEqual(new Set(during).size, 1)
      const found = new Set<string | undefined>()
      for (let i = 0; i < 6; i++) {
        found.add(yield* memberOf("alice-session-7-life-10m"))
        yield* TestClock.adjust("10 minutes")
      }
      assert.isAbove(found.size, 1)
      // Without it nothing changes, and another user with the same session is another session.
      const kept = yield* memberOf("alice-session-7")
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* memberOf("alice-session-7"), kept)
      const slots = Array.from({ length: 8 }, (_, i) => `session-${i}`)
      const of = (user: string) => Effect.forEach(slots, (slot) => memberOf(`${user}-${slot}`))
      assert.notDeepEqual(yield* of("alice"), yield* of("bob"))
    }).pipe(Effect.scoped, Effect.provide(sticky))
  )

  it.effect("choose the member of a route, log in without them, and are in the event", () =>
    Effect.gen(function* () {
      const events: Array<unknown> = []
      yield* (yield* Events).listen(["SessionEnded"], ({ user, parameters, outcome }) =>
        Effect.sync(() => void events.push([user, parameters, outcome]))
      )
      const memberOf = yield* members
      const found = yield* Effect.forEach(["7", "8", "9", "10", "11"], (slot) =>
        memberOf(`alice-session-${slot}`)
      )
      assert.isAbove(new Set(found).size, 1)
      assert.deepStrictEqual(
        yield* Effect.forEach(["7", "8", "9", "10", "11"], (slot) => memberOf(`alice-session-${slot}`)),
        found
      )
      assert.deepStrictEqual(events[0], ["alice", { session: "7" }, "finished"])
      assert.isUndefined(yield* memberOf("alice-session-7-zone-b"))
      yield* settled
      assert.deepStrictEqual(events.at(-1), ["alice-session-7-zone-b", undefined, "AuthenticationFailed"])
    }).pipe(Effect.scoped, Effect.provide(sticky))
  )
})
