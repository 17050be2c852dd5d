/**
 * Logins that are remembered: bounded, never for longer than they may be, and the
 * same for each process.
 */
import { assert, describe, it } from "@effect/vitest"
import * as RememberedLogins from "../../src/auth/RememberedLogins.ts"
import * as Hmac from "../../src/base/Hmac.ts"
import { utf8 } from "../support/bytes.ts"

const { rememberedFor } = RememberedLogins
const digest = Hmac.digest(Hmac.newKey())

describe("RememberedLogins", () => {
  it("hold for 15 minutes, also when the clock is set back", () => {
    const logins = RememberedLogins.make(digest)
    assert.isFalse(logins.has("alice", rememberedFor))
    logins.add("alice", rememberedFor)
    assert.isTrue(logins.has("alice", rememberedFor))
    assert.isTrue(logins.has("alice", 2 * rememberedFor - 1))
    assert.isFalse(logins.has("alice", 2 * rememberedFor))
    assert.isFalse(logins.has("alice", rememberedFor - 1))
    assert.deepStrictEqual(logins.all(2 * rememberedFor), [])
  })

  it("are bounded, and the most recent ones stay", () => {
    const logins = RememberedLogins.make(digest, undefined, 2)
    for (const name of ["alice", "bob", "alice", "carol"]) logins.add(name, 0)
    assert.deepStrictEqual(
      logins.all(0).map(([login]) => login),
      ["alice", "carol"]
    )
  })

  it("are sent once, and hold no longer than at their sender", () => {
    const told: Array<RememberedLogins.Remembered> = []
    const one = RememberedLogins.make(digest, (login) => void told.push(login))
    const other = RememberedLogins.make(digest, () => assert.fail("told again"))
    one.add("alice", 0)
    assert.deepStrictEqual(told, [["alice", rememberedFor]])
    other.follow(told, 1000)
    assert.isTrue(other.has("alice", rememberedFor - 1))
    assert.isFalse(other.has("alice", rememberedFor))
    other.follow(one.all(0), rememberedFor)
    // Of a process with another clock, or one that lies.
    other.follow([["mallory", 2 * rememberedFor + 1]], rememberedFor)
    other.follow([["carol", Number.POSITIVE_INFINITY]], rememberedFor)
    other.follow([["dave", Number.NaN]], rememberedFor)
    assert.deepStrictEqual(other.all(rememberedFor), [])
    for (const name of ["mallory", "carol", "dave"]) assert.isFalse(other.has(name, 2 * rememberedFor), name)
  })

  it("differ in each part of a login, and in the key", () => {
    const of = (...parts: ReadonlyArray<string>) => digest(...parts.map(utf8))
    const hashes = [
      of("alice", "hash", "secret"),
      of("alice", "hash2", "secret"),
      of("alicehash", "", "secret"),
      of("alice", "hashs", "ecret"),
      Hmac.digest(Hmac.newKey())(...["alice", "hash", "secret"].map(utf8))
    ]
    assert.strictEqual(new Set(hashes).size, hashes.length)
  })
})
