/**
 * What of the logins of a machine its fleet's store is told.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Attempt } from "../../src/bans/LoginThrottle.ts"
import * as UntoldLogins from "../../src/fleet/UntoldLogins.ts"

/** The logins of a fleet of so many machines, on a clock that the test sets. */
const made = (machines = 1) => {
  let now = 1_000_000
  const logins = UntoldLogins.make(
    () => now,
    () => machines
  )
  const attempt = (guess: string): Attempt => ({
    ...{ network: "192.0.2.1/32", wider: [], area: "192.0.0.0/16", account: "alice", guess },
    ...{ now, window: 60_000 }
  })
  return {
    ...logins,
    guess: (guess: string) => logins.add({ _tag: "guess", outcome: "failed", ...attempt(guess) }),
    succeed: () => logins.add({ _tag: "guess", outcome: "succeeded", ...attempt("") }),
    pass: (milliseconds: number) => {
      now += milliseconds
    }
  }
}

describe("logins that the store is not told of", () => {
  it("take back the guesses of a user in a network once in a minute", () => {
    const { succeed, take, pass } = made()
    const told = () => {
      const { known, forgiven } = take()
      return [known.size, forgiven.size]
    }
    succeed()
    assert.deepStrictEqual(told(), [1, 1])
    succeed()
    pass(59_999)
    succeed()
    assert.deepStrictEqual(told(), [0, 0])
    pass(1)
    succeed()
    assert.deepStrictEqual(told(), [1, 1])
  })

  it("leave out a user in a network whom another machine has told of, but take back the guesses", () => {
    const { succeed, take, learned } = made()
    learned("alice 192.0.2.1/32")
    succeed()
    const { known, forgiven } = take()
    assert.deepStrictEqual([known.size, forgiven.size], [0, 1])
  })

  it("are fewer guesses of each machine in a second the more machines there are", () => {
    for (const [machines, most] of [
      [1, 500],
      [10, 200],
      [1000, 20]
    ] as const) {
      const { guess, take, pass } = made(machines)
      for (let index = 0; index < 600; index++) guess(`guess ${index}`)
      assert.strictEqual(take().guesses.size, most)
      guess("another")
      assert.strictEqual(take().guesses.size, 0)
      pass(1000)
      guess("another")
      assert.strictEqual(take().guesses.size, 1)
    }
  })
})
