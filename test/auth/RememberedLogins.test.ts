/**
 * Logins that are remembered: bounded, never for longer than they may be, and the
 * same for each process.
 */
import { assert, describe, it } from "@effect/vitest"
import * as RememberedLogins from "../../src/auth/RememberedLogins.ts"
import * as Hmac from "../../src/base/Hmac.ts"
import { utf8 } from "../support/bytes.ts"

const { lasting } = RememberedLogins
const digest = Hmac.digest(Hmac.newKey())

describe("RememberedLogins", () => {
  it("hold for so long, also when the clock is set back", () => {
    const logins = RememberedLogins.make(digest)
    assert.isFalse(logins.has("alice", lasting))
    logins.add("alice", lasting)
    assert.isTrue(logins.has("alice", lasting))
    assert.isTrue(logins.has("alice", 2 * lasting - 1))
    assert.isFalse(logins.has("alice", 2 * lasting))
    assert.isFalse(logins.has("alice", lasting - 1))
    assert.deepStrictEqual(logins.all(2 * lasting), [])
  })

  it("are so many at most, those that were right last", () => {
    const logins = RememberedLogins.make(digest, undefined, 2)
    for (const name of ["alice", "bob", "alice", "carol"]) logins.add(name, 0)
    assert.deepStrictEqual(
      logins.all(0).map(([login]) => login),
      ["alice", "carol"]
    )
  })

  it("are told once, and followed for no longer than they hold where they come from", () => {
    const told: Array<RememberedLogins.Remembered> = []
    const one = RememberedLogins.make(digest, (login) => void told.push(login))
    const other = RememberedLogins.make(digest, () => assert.fail("told again"))
    one.add("alice", 0)
    assert.deepStrictEqual(told, [["alice", lasting]])
    other.follow(told, 1000)
    assert.isTrue(other.has("alice", lasting - 1))
    assert.isFalse(other.has("alice", lasting))
    other.follow(one.all(0), lasting)
    // Of a process with another clock, or one that lies.
    other.follow([["mallory", 2 * lasting + 1]], lasting)
    other.follow([["carol", Number.POSITIVE_INFINITY]], lasting)
    other.follow([["dave", Number.NaN]], lasting)
    assert.deepStrictEqual(other.all(lasting), [])
    for (const name of ["mallory", "carol", "dave"]) assert.isFalse(other.has(name, 2 * lasting), name)
  })

  it("are told apart by each part of a login, and by the key", () => {
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
