/**
 * Who has logged in from where, within bounds.
 */
import { assert, describe, it } from "@effect/vitest"
import * as KnownPairs from "../../src/bans/KnownPairs.ts"

const pair = (account: string, network: string, at = 0, failures = 0) => ({ account, network, at, failures })

describe("KnownPairs", () => {
  it("know a pair for seven days after its last login", () => {
    const known = KnownPairs.make()
    known.put(pair("alice", "a"))
    known.put(pair("alice", "a", 1000))
    const end = 1000 + KnownPairs.trusted
    assert.strictEqual(known.find("alice", "a", end - 1)?.at, 1000)
    assert.strictEqual(known.find("alice", "a", end), undefined)
    assert.isTrue(known.hasAny("a", end - 1))
    assert.isFalse(known.hasAny("a", end))
    assert.strictEqual(known.find("alice", "b", 0), undefined)
    assert.strictEqual(known.find("bob", "a", 0), undefined)
  })

  it("add up the failures of a network's pairs", () => {
    const known = KnownPairs.make()
    known.put(pair("alice", "a", 0, 2))
    known.put(pair("bob", "a", 0, 3))
    known.put(pair("bob", "b", 0, 5))
    assert.strictEqual(known.failuresOf("a"), 5)
    assert.strictEqual(known.failuresOf("none"), 0)
  })

  it("keep the last sixteen networks of each user", () => {
    const known = KnownPairs.make()
    known.put(pair("bob", "b"))
    for (let n = 0; n < 16; n++) known.put(pair("alice", `${n}`))
    // Used again, so that another is the oldest.
    known.put(pair("alice", "0"))
    known.put(pair("alice", "16"))
    assert.isUndefined(known.find("alice", "1", 0))
    assert.isFalse(known.hasAny("1", 0))
    for (const network of ["0", "2", "16"]) assert.isDefined(known.find("alice", network, 0), network)
    assert.isDefined(known.find("bob", "b", 0))
  })

  it("displace the user with the oldest login, with all its networks", () => {
    const known = KnownPairs.make(2)
    known.put(pair("alice", "a"))
    known.put(pair("bob", "b"))
    known.put(pair("alice", "c"))
    known.put(pair("carol", "d"))
    assert.deepStrictEqual(
      known.entries().map(({ account, network }) => `${account} ${network}`),
      ["alice a", "alice c", "carol d"]
    )
  })

  it("have another revision after a new pair, and after a new hour of a pair", () => {
    const known = KnownPairs.make()
    const revisions = [
      pair("alice", "a"),
      pair("alice", "a", 1),
      pair("alice", "a", 3_600_000),
      pair("bob", "a", 3_600_000)
    ].map((each) => {
      known.put(each)
      return known.revision()
    })
    assert.strictEqual(revisions[0], revisions[1])
    assert.strictEqual(new Set(revisions).size, 3)
  })
})
