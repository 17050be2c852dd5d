/**
 * What guesses, and programs with an old password, come to for others: for users
 * behind the same address, and for the user whose name is tried.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import { Bans } from "../../src/bans/Bans.ts"
import { attempt, isAdmitted, layer } from "../support/guarded.ts"

const here = "203.0.113.7"

const users = Authenticator.layerUsers(
  ["alice", "bob"].map((name) => ({ name, password: Redacted.make(`secret of ${name}`) }))
)

const guess = (n: number, from = here, name = "other") => attempt(from, `guess ${n}`, name)

const alice = (from = here) => attempt(from, "secret of alice", "alice")

const banned = Effect.flatMap(Bans, ({ list }) =>
  Effect.map(list, (bans) => bans.map(({ network }) => IpNetwork.format(network)))
)

describe("a program with an old password", () => {
  it.effect("locks out no user, not even its own, however often it tries", () =>
    Effect.gen(function* () {
      for (let n = 0; n < 200; n++) {
        yield* attempt(here, "old", "other")
        if (n % 10 === 0) {
          assert.strictEqual(yield* alice(), "in")
          assert.strictEqual(yield* attempt(here, "secret of bob", "bob"), "in")
        }
        yield* TestClock.adjust("100 millis")
      }
      assert.deepStrictEqual(yield* banned, [])
    }).pipe(Effect.provide(layer({}, users)))
  )

  it.effect("is checked once a second, because the password may have become right", () =>
    Effect.gen(function* () {
      const tries = yield* Effect.forEach(Array.from({ length: 100 }), () =>
        Effect.tap(attempt(here, "old", "alice"), () => TestClock.adjust("100 millis"))
      )
      const heard = tries.filter((it) => it === "wrong")
      assert.isAtLeast(heard.length, 9)
      assert.isAtMost(heard.length, 13)
    }).pipe(Effect.provide(layer({}, users)))
  )

  it.effect("can log in when its password is right again", () =>
    Effect.gen(function* () {
      for (let n = 0; n < 20; n++)
        yield* attempt(here, "secret of alice", "alice").pipe(Effect.provide(others, { local: true }))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* alice(), "in")
    }).pipe(Effect.provide(layer({}, users)))
  )
  const others = Authenticator.layerUsers([{ name: "alice", password: Redacted.make("another") }])

  for (const host of ["127.0.0.1", "::1", here]) {
    it.effect(`locks out no user of ${host}, next to twenty such programs`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* alice(host), "in")
        for (let round = 0; round < 20; round++) {
          for (let n = 0; n < 20; n++) yield* attempt(host, "old", `program ${n}`)
          yield* TestClock.adjust("1 second")
          assert.strictEqual(yield* alice(host), "in")
        }
      }).pipe(Effect.provide(layer({ banAfter: 100 }, users)))
    )
  }
})

describe("a guesser behind the same address", () => {
  it.effect("does not delay a user without failures in the network", () =>
    Effect.gen(function* () {
      for (let n = 0; n < 5; n++) yield* guess(n)
      assert.strictEqual(yield* alice(), "in")
    }).pipe(Effect.provide(layer({}, users)))
  )

  it.effect("does not lock out a user who has logged in from the network, not even by a ban", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* alice(), "in")
      for (let n = 0; n < 50; n++) yield* guess(n, here, `name ${n}`)
      assert.deepStrictEqual(yield* banned, [`${here}/32`])
      assert.isTrue(yield* isAdmitted(here))
      assert.strictEqual(yield* alice(), "in")
      assert.strictEqual(yield* attempt(here, "secret of bob", "bob"), "unheard")
      assert.strictEqual(yield* guess(0), "unheard")
    }).pipe(Effect.provide(layer({}, users)))
  )

  it.effect("does not lock out a user by guesses at the user's own name", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* alice(), "in")
      for (let n = 0; n < 50; n++) {
        yield* guess(n, here, "alice")
        assert.strictEqual(yield* alice(), "in")
      }
    }).pipe(Effect.provide(layer({}, users)))
  )

  it.effect("is banned by an operator together with all users of the address", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* alice(), "in")
      const { ban } = yield* Bans
      yield* ban(IpNetwork.fromStringUnsafe(`${here}/32`), Duration.minutes(1), "by hand")
      assert.isFalse(yield* isAdmitted(here))
      assert.strictEqual(yield* alice(), "unheard")
    }).pipe(Effect.provide(layer({}, users)))
  )

  it.effect("gets no more checks because of users known there", () =>
    Effect.gen(function* () {
      yield* alice()
      yield* attempt(here, "secret of bob", "bob")
      let heard = 0
      for (let n = 0; n < 1000; n++) {
        const name = ["alice", "bob", `name ${n}`][n % 3]!
        if ((yield* guess(n, here, name)) === "wrong") heard++
        yield* TestClock.adjust("300 millis")
      }
      // In 300 seconds: three, after 1, 2, 4, 8, 16 and 32 seconds, and four a minute apart; and one ahead, and two of credit.
      assert.isAtMost(heard, 13 + 3)
      assert.strictEqual(yield* alice(), "in")
    }).pipe(Effect.provide(layer({ banAfter: "off" }, users)))
  )
})

describe("a name that is guessed at", () => {
  const attack = Effect.gen(function* () {
    for (let n = 0; n < 16; n++) {
      yield* guess(n, `10.0.${n % 13}.1`, "alice")
      if (n >= 10) yield* TestClock.adjust("60 seconds")
    }
  })

  it.effect("from 13 networks delays its user for at most two minutes at a time", () =>
    Effect.gen(function* () {
      yield* attack
      let waited = 0
      while ((yield* alice("198.51.100.1")) !== "in") {
        for (let n = 0; n < 13; n++) yield* guess(1000 + 13 * waited + n, `10.0.${n}.1`, "alice")
        yield* TestClock.adjust("1 second")
        waited++
      }
      assert.isAtMost(waited, 120)
    }).pipe(Effect.provide(layer({ banAfter: "off" }, users)))
  )

  it.effect("is not forgotten when thousands of other names fail", () =>
    Effect.gen(function* () {
      for (let n = 0; n < 14; n++) yield* guess(n, `10.0.${n}.1`, "alice")
      assert.strictEqual(yield* guess(14, "10.0.0.1", "alice"), "unheard")
      for (let n = 0; n < 9000; n++) {
        yield* guess(n, `10.${1 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`, `junk ${n}`)
      }
      assert.strictEqual(yield* guess(15, "10.0.0.1", "alice"), "unheard")
    }).pipe(Effect.provide(layer({ banAfter: "off" }, users)))
  )

  it.effect("is compared byte by byte", () =>
    Effect.gen(function* () {
      // `Alice` and `alice`, and two names that an unkeyed hash of 32 bits takes for one.
      for (const [one, other] of [
        ["alice", "Alice"],
        ["userfj", "user8t"]
      ] as const) {
        yield* guess(0, "198.51.100.200", one)
        yield* guess(1, "198.51.100.200", one)
        assert.deepInclude(yield* failuresOf("198.51.100.200"), { failures: 2 })
        const colliding = Authenticator.layerUsers([{ name: other, password: Redacted.make("right") }])
        assert.strictEqual(
          yield* attempt("198.51.100.200", "right", other).pipe(Effect.provide(colliding, { local: true })),
          "in"
        )
        assert.deepInclude(yield* failuresOf("198.51.100.200"), { failures: 2 })
        yield* TestClock.adjust("11 minutes")
      }
    }).pipe(Effect.provide(layer({}, users)))
  )
  const failuresOf = (host: string) =>
    Effect.flatMap(Bans, ({ suspects }) =>
      Effect.map(suspects, (all) => all.find(({ network }) => network === `${host}/32`))
    )
})

describe("an IPv6 network", () => {
  it.effect("is delayed and banned as a /48 when the guesses come from many /64 networks in it", () =>
    Effect.gen(function* () {
      let heard = 0
      for (let n = 0; n < 1000; n++) {
        if ((yield* guess(n, `2001:db8:1:${(4 * n).toString(16)}::1`, `name ${n}`)) === "wrong") heard++
        yield* TestClock.adjust("40 millis")
      }
      assert.isAtMost(heard, 3 * 16 + 8)
      assert.include(yield* banned, "2001:db8:1::/48")
      assert.isFalse(yield* isAdmitted("2001:db8:1:ffff::1"))
      assert.isTrue(yield* isAdmitted("2001:db8:2::1"))
    }).pipe(Effect.provide(layer({}, users)))
  )
})
