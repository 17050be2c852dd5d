/**
 * Users with hashes: what is computed for whom, and who comes in.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { TestClock } from "effect/testing"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import { type PasswordHash, work } from "../../src/auth/PasswordHash.ts"
import { PasswordHashes } from "../../src/auth/PasswordHashes.ts"
import * as RememberedLogins from "../../src/auth/RememberedLogins.ts"
import type { User } from "../../src/auth/User.ts"
import { Users } from "../../src/auth/Users.ts"
import * as Hmac from "../../src/base/Hmac.ts"
import { clientAddress } from "../../src/testing/index.ts"
import { utf8 } from "../support/bytes.ts"
import { fields } from "../support/errors.ts"
import { settled } from "../support/streams.ts"

/** No hash at all, but it says of which password it would be one. */
const hashOf = (password: string, cost: number): PasswordHash => ({ _tag: "Bcrypt", cost, text: password })

const hashed = (name: string, password: string, cost = 10): User => ({
  name,
  passwordHash: Redacted.make(hashOf(password, cost))
})

/** Counts what is computed, as work, and computes only when told where there is a `gate`. */
const counting = (gate?: Deferred.Deferred<void>) => {
  const computed: Array<number> = []
  const layer = Layer.succeed(PasswordHashes, {
    digest: (...parts) => parts.map((part) => Buffer.from(part).toString("hex")).join(" "),
    verify: (password, hash, more = []) =>
      Effect.gen(function* () {
        computed.push([hash, ...more].reduce((sum, each) => sum + work(each), 0))
        if (gate) yield* Deferred.await(gate)
        return hash._tag === "Bcrypt" && hash.text === Buffer.from(password).toString()
      })
  })
  return { computed, layer }
}

const among = (users: ReadonlyArray<User>, { layer } = counting()) =>
  Layer.provide(Authenticator.layerDirectory, [Users.layerFixed(users), layer])

const login = Effect.fnUntraced(function* (
  name: string,
  password: string,
  from: NetAddress.SocketAddress = clientAddress
) {
  const { verify } = yield* Authenticator
  return yield* Effect.match(verify({ username: utf8(name), password: utf8(password) }, from), {
    onSuccess: ({ user }) => user,
    onFailure: (error) => fields(error).reason
  })
})

describe("a user who changes while the hash is computed", () => {
  const alice = hashed("alice", "secret")
  it.effect.each<[string, ReadonlyArray<User>, string]>([
    ["is refused when removed", [], "unknown user"],
    ["is refused when disabled", [{ ...alice, enabled: false }], "disabled"],
    ["is refused when expired", [{ ...alice, expires: -1 }], "expired"],
    ["is refused by the old password", [hashed("alice", "another")], "wrong password"],
    ["is let in when only others change", [hashed("alice", "secret"), hashed("bob", "b")], "alice"]
  ])("%s", ([, later, outcome]) =>
    Effect.gen(function* () {
      const ref = yield* SubscriptionRef.make<ReadonlyArray<User>>([alice])
      const gate = yield* Deferred.make<void>()
      const layer = Layer.provide(Authenticator.layerDirectory, [Users.layerRef(ref), counting(gate).layer])
      const found = yield* Effect.gen(function* () {
        const logging = yield* Effect.forkChild(login("alice", "secret"), { startImmediately: true })
        yield* SubscriptionRef.set(ref, later)
        yield* Deferred.succeed(gate, undefined)
        return yield* Fiber.join(logging)
      }).pipe(Effect.provide(layer))
      assert.strictEqual(found, outcome)
    })
  )
})

describe("a user with a hash", () => {
  it.effect("logs in with the password, and has the user's groups and limits", () =>
    Effect.gen(function* () {
      const { verify } = yield* Authenticator
      assert.deepStrictEqual(
        yield* verify({ username: utf8("alice"), password: utf8("secret") }, clientAddress),
        { user: "alice", groups: ["staff"], limits: { sessions: 5 } }
      )
      assert.strictEqual(yield* login("alice", "guess"), "wrong password")
      assert.strictEqual(yield* login("nopassword", ""), "wrong password")
    }).pipe(
      Effect.provide(
        among([
          { ...hashed("alice", "secret"), groups: ["staff"], limits: { sessions: 5 } },
          { name: "nopassword" }
        ])
      )
    )
  )

  const counts = counting()
  it.effect("costs as much as the most expensive hash, also for an unknown user", () =>
    Effect.gen(function* () {
      const { computed } = counts
      for (const name of ["alice", "mallory", "carol", "plain", "nopassword"]) {
        computed.length = 0
        yield* login(name, "guess")
        assert.deepStrictEqual(computed, [2 ** 12], name)
      }
    }).pipe(
      Effect.provide(
        among(
          [
            hashed("carol", "secret", 12),
            hashed("alice", "secret"),
            hashed("bob", "secret"),
            { name: "plain", password: Redacted.make("secret") },
            { name: "nopassword" }
          ],
          counts
        )
      )
    )
  )

  const once = counting()
  it.effect("is verified once for all connections, as long as the login is remembered", () =>
    Effect.gen(function* () {
      for (let time = 0; time < 1000; time++) assert.strictEqual(yield* login("alice", "secret"), "alice")
      assert.lengthOf(once.computed, 1)
      yield* TestClock.adjust("15 minutes")
      assert.strictEqual(yield* login("alice", "secret"), "alice")
      assert.lengthOf(once.computed, 2)
      // What failed is not remembered.
      yield* login("alice", "guess")
      yield* login("alice", "guess")
      assert.lengthOf(once.computed, 4)
    }).pipe(Effect.provide(among([hashed("alice", "secret")], once)))
  )

  it.effect(
    "is verified once for all servers that share remembered logins, and again after a change of the user",
    () =>
      Effect.gen(function* () {
        const { computed, layer } = counting()
        const remembered = RememberedLogins.make(Hmac.digest(Hmac.newKey()))
        /** A login with another worker, or after a reload. */
        const logInTo = (users: ReadonlyArray<User>, password: string) =>
          login("alice", password).pipe(
            Effect.provide(
              Layer.provide(
                among(users, { computed, layer }),
                Layer.succeed(RememberedLogins.RememberedLogins, remembered)
              ),
              { local: true }
            )
          )
        const users = [hashed("alice", "secret"), hashed("bob", "secret")]
        assert.strictEqual(yield* logInTo(users, "secret"), "alice")
        assert.lengthOf(computed, 1)
        assert.strictEqual(yield* logInTo(users, "secret"), "alice")
        assert.lengthOf(computed, 1)
        // Another hash, or no user, or no hash: what was right is not any more.
        assert.strictEqual(yield* logInTo([hashed("alice", "changed")], "secret"), "wrong password")
        assert.strictEqual(yield* logInTo([hashed("bob", "secret")], "secret"), "unknown user")
        assert.strictEqual(
          yield* logInTo([{ name: "alice" }, hashed("bob", "secret")], "secret"),
          "wrong password"
        )
        assert.lengthOf(computed, 4)
        yield* TestClock.adjust("15 minutes")
        assert.strictEqual(yield* logInTo(users, "secret"), "alice")
        assert.lengthOf(computed, 5)
      })
  )

  it.effect("is verified once for concurrent logins", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { computed, layer } = counting(gate)
      yield* Effect.gen(function* () {
        const right = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: 50 }, () => login("alice", "secret")),
            { concurrency: "unbounded" }
          )
        )
        const wrong = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: 50 }, () => login("alice", "guess")),
            { concurrency: "unbounded" }
          )
        )
        yield* settled
        assert.lengthOf(computed, 2)
        yield* Deferred.succeed(gate, undefined)
        assert.deepStrictEqual(yield* Fiber.join(right), new Array(50).fill("alice"))
        assert.deepStrictEqual(yield* Fiber.join(wrong), new Array(50).fill("wrong password"))
      }).pipe(Effect.provide(among([hashed("alice", "secret")], { computed, layer })))
    })
  )
})

describe("a user", () => {
  const bars = counting()
  const barred = [
    { ...hashed("alice", "secret"), expires: 60_000 },
    { ...hashed("bob", "secret"), networks: [IpNetwork.fromStringUnsafe("203.0.113.0/24")] },
    { name: "plain", password: Redacted.make("secret"), expires: 60_000 }
  ]
  it.effect("logs in until the expiry date, and not by a remembered login after it", () =>
    Effect.gen(function* () {
      const { computed } = bars
      yield* TestClock.adjust(59_999)
      for (const name of ["alice", "plain"]) assert.strictEqual(yield* login(name, "secret"), name)
      yield* TestClock.adjust(1)
      for (const name of ["alice", "plain"]) {
        computed.length = 0
        assert.strictEqual(yield* login(name, "secret"), "expired")
        // The same as for a wrong password, which is all that is told of it.
        assert.strictEqual(yield* login(name, "guess"), "wrong password")
        assert.lengthOf(computed, 2)
      }
    }).pipe(Effect.provide(among(barred, bars)))
  )

  it.effect("logs in from the user's networks only", () =>
    Effect.gen(function* () {
      const there = NetAddress.inetAddressFromStringUnsafe("198.51.100.1:5000")
      const path = NetAddress.unixPathAddress("/run/socks.sock")
      assert.strictEqual(yield* login("bob", "secret"), "bob")
      assert.strictEqual(yield* login("bob", "secret", there), "not from this network")
      assert.strictEqual(yield* login("bob", "secret", path), "not from this network")
      assert.strictEqual(yield* login("bob", "guess", there), "wrong password")
    }).pipe(Effect.provide(among(barred)))
  )

  it.effect("is recognized by a certificate under the same conditions", () =>
    Effect.gen(function* () {
      const { recognize } = yield* Authenticator
      const known = (name: string) =>
        Effect.match(recognize!(name, clientAddress), { onSuccess: (it) => it, onFailure: fields })
      assert.deepStrictEqual(yield* known("alice"), { user: "alice" })
      assert.strictEqual(yield* known("mallory"), undefined)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* known("alice"), {
        _tag: "CertificateRefused",
        user: "alice",
        reason: "expired"
      })
    }).pipe(Effect.provide(among(barred)))
  )
})

describe("names that logs escape", () => {
  const users = Authenticator.layerUsers([
    { name: "dom\\alice", password: Redacted.make("secret"), groups: ["staff"] },
    { name: "dom\\u{5c}alice", password: Redacted.make("other"), groups: ["boss"] }
  ])

  it.effect("are recognized as the users who logged in with them", () =>
    Effect.gen(function* () {
      const { recognize, verify } = yield* Authenticator
      for (const [name, password] of [
        ["dom\\alice", "secret"],
        ["dom\\u{5c}alice", "other"]
      ] as const) {
        const identity = yield* verify({ username: utf8(name), password: utf8(password) }, clientAddress)
        assert.deepStrictEqual(yield* recognize!(identity.user!, clientAddress), identity)
      }
    }).pipe(Effect.provide(users))
  )
})

describe("the first source with a user", () => {
  const own = Authenticator.layerUsers([{ name: "alice", password: Redacted.make("own") }])
  const others = Authenticator.layerUsers([
    { name: "alice", password: Redacted.make("others") },
    { name: "bob", password: Redacted.make("others"), groups: ["staff"] }
  ])

  it.effect("decides", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* login("alice", "own"), "alice")
      assert.strictEqual(yield* login("alice", "others"), "wrong password")
      assert.strictEqual(yield* login("bob", "others"), "bob")
      assert.strictEqual(yield* login("mallory", "others"), "unknown user")
      const { recognize, methods } = yield* Authenticator
      assert.deepStrictEqual(yield* recognize!("bob", clientAddress), { user: "bob", groups: ["staff"] })
      assert.deepStrictEqual(methods, [0x02])
    }).pipe(Effect.provide(Authenticator.layerFirstOf([own, others])))
  )
})
