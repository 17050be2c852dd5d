/**
 * Sessions are counted for all of their accounts, or for none.
 */
import { assert, describe, it } from "@effect/vitest"
import type { QuotaExceeded } from "../../src/Errors.ts"
import * as AccountLimits from "../../src/limits/AccountLimits.ts"
import type { Account } from "../../src/limits/LimitKeys.ts"
import { local } from "../../src/limits/SharedCounters.ts"

const account = (key: string, limits: Account["limits"]): Account => ({ whose: "user", key, limits })

/** Limits without a quota, or with one that is spent. */
const made = (exceeded?: QuotaExceeded) => AccountLimits.make({ exceeded: () => exceeded } as never, local())

describe("limits of accounts", () => {
  it("admit as many sessions as each account allows, and count down when sessions end", () => {
    const { enter, leave } = made()
    const [user, client] = [account("user", { sessions: 2 }), account("client", { sessions: 1 })]
    assert.isUndefined(enter([user, client], 0))
    const refused = enter([user, client], 0)
    assert.include(refused?.error(0), { _tag: "SessionLimitReached", limit: 1 })
    assert.deepStrictEqual(refused?.exhausted, { kind: "slot", key: "client", limit: 1 })
    // What was refused is counted nowhere.
    assert.isUndefined(enter([user], 0))
    leave([user, client])
    assert.isUndefined(enter([user, client], 0))
  })

  it("admit a number of new sessions a second, and report the time of the next", () => {
    const { enter } = made()
    const user = account("user", { sessionRate: 1 })
    let now = 1_000_000
    while (enter([user], now) === undefined) assert.isBelow(now++, 1_001_000)
    const refused = enter([user], now)
    assert.deepInclude(refused?.exhausted, { kind: "token", key: "user", limit: 1 })
    assert.include(refused?.error(0), { _tag: "TooManyNewSessions", retryAfter: 1 })
    // Others may know of a longer wait.
    assert.include(refused?.error(4500), { retryAfter: 5 })
    assert.isUndefined(enter([user], now + 1000))
  })

  it("are unlimited by default", () => {
    const { enter } = made()
    for (let n = 0; n < 1000; n++) assert.isUndefined(enter([account("user", {})], 0))
  })

  it("take no token for a session without quota", () => {
    const { enter } = made({ _tag: "QuotaExceeded" } as QuotaExceeded)
    for (let n = 0; n < 3; n++) {
      assert.include(enter([account("user", { sessionRate: 1 })], 0)?.error(0), { _tag: "QuotaExceeded" })
    }
  })
})
