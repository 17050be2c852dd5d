/**
 * Users by name, and passwords as fields that all compare alike.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as fc from "fast-check"
import type { User } from "../../src/auth/User.ts"
import { UserStore } from "../../src/auth/UserStore.ts"
import * as Users from "../../src/auth/Users.ts"
import { StateFailed } from "../../src/Errors.ts"
import { utf8 } from "../support/bytes.ts"
import { holds } from "../support/property.ts"
import { settled } from "../support/streams.ts"

const user = (name: string, password?: string) => ({
  name,
  ...(password && { password: Redacted.make(password) })
})

describe("a directory of users", () => {
  it("finds users by the bytes of their names", () => {
    const name = fc.string({
      minLength: 1,
      maxLength: 4,
      unit: fc.constantFrom("a", "b", "\0", "é", "€", "😀")
    })
    holds(
      fc.property(fc.uniqueArray(name, { maxLength: 8 }), name, (names, other) => {
        const { find } = Users.directory(names.map((name) => user(name, "secret")))
        for (const name of names) assert.strictEqual(find(utf8(name))?.user.name, name)
        if (!names.includes(other)) assert.isUndefined(find(utf8(other)))
      })
    )
  })

  it("has the password field of a user; for other names, the field of no password", () => {
    const { find } = Users.directory([user("alice", "secret"), user("bob")])
    assert.deepStrictEqual(find(utf8("alice"))?.field, Users.field(utf8("secret")))
    assert.strictEqual(find(utf8("bob"))?.field, Users.noPassword)
  })
})

describe("the users of a store", () => {
  const storeOf = (users: SubscriptionRef.SubscriptionRef<ReadonlyArray<User>>, fails = false) =>
    Layer.succeed(UserStore, {
      list: fails
        ? Effect.fail(new StateFailed({ path: "redis", reason: "it does not answer" }))
        : SubscriptionRef.get(users),
      add: () => Effect.die("not asked"),
      change: () => Effect.die("not asked"),
      remove: () => Effect.die("not asked"),
      changes: SubscriptionRef.changes(users)
    })

  it.effect("are those that it has, after each change", () =>
    Effect.gen(function* () {
      const ref = yield* SubscriptionRef.make<ReadonlyArray<User>>([user("alice")])
      yield* Effect.gen(function* () {
        const { current } = yield* Users.Users
        const names = Effect.map(current, ({ users }) => users.map(({ name }) => name))
        assert.deepStrictEqual(yield* names, ["alice"])
        yield* Effect.yieldNow
        yield* SubscriptionRef.set(ref, [user("alice"), user("bob")])
        yield* settled
        assert.deepStrictEqual(yield* names, ["alice", "bob"])
      }).pipe(Effect.provide(Layer.provide(Users.Users.layerStore, storeOf(ref))))
    })
  )

  it.effect("stop the start where the store cannot be read", () =>
    Effect.gen(function* () {
      const ref = yield* SubscriptionRef.make<ReadonlyArray<User>>([])
      const layer = Layer.provide(Users.Users.layerStore, storeOf(ref, true))
      const { message } = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      assert.strictEqual(message, "UserStore: redis is not readable: it does not answer")
    })
  )
})

describe("a field", () => {
  it("has 256 bytes, and differs for all passwords of up to 255 bytes", () => {
    holds(
      fc.property(fc.uint8Array({ maxLength: 255 }), fc.uint8Array({ maxLength: 255 }), (one, other) => {
        assert.lengthOf(Users.field(one), 256)
        assert.strictEqual(
          Buffer.compare(Users.field(one), Users.field(other)) === 0,
          Buffer.compare(one, other) === 0
        )
      })
    )
  })

  it("differs for passwords with NUL bytes at the end", () => {
    assert.notDeepEqual(Users.field(Uint8Array.of(1)), Users.field(Uint8Array.of(1, 0)))
  })
})
