/**
 * Accounts that are slowed over their quotas.
 */
import { assert, describe, it } from "@effect/vitest"
import { QuotaExceeded } from "../../src/Errors.ts"
import type { Account } from "../../src/limits/LimitKeys.ts"
import * as QuotaThrottle from "../../src/limits/QuotaThrottle.ts"

const make = () => {
  const spent = new Set<string>()
  const changes: Array<readonly [string, number]> = []
  const exceeded = ({ key, whose }: Account) =>
    spent.has(key) ? new QuotaExceeded({ whose, period: "day", limit: 1, retryAfter: 1 }) : undefined
  const throttle = QuotaThrottle.make({ exceeded }, { setRate: (...change) => void changes.push(change) })
  return { spent, changes: () => changes.splice(0), throttle }
}

const alice: Account = { whose: "user", key: "user alice", isSlowed: true, limits: { dailyQuota: 1 } }
const rates = { upload: 10, download: 20 }

describe("QuotaThrottle", () => {
  it("is for accounts with a quota that are slowed and not denied", () => {
    const { throttle } = make()
    const { isSlowed, ...denied } = alice
    assert.isTrue(isSlowed)
    assert.isUndefined(throttle.enter(denied, rates, 0))
    assert.isUndefined(throttle.enter({ ...alice, limits: { sessions: 1 } }, rates, 0))
  })

  it("changes the rate of both directions when a quota is used up, and when it begins anew", () => {
    const { spent, changes, throttle } = make()
    const first = throttle.enter(alice, rates, 0)
    assert.isAbove(first!.upload[1], 1e11)
    throttle.sweep(0)
    assert.deepStrictEqual(changes(), [])
    spent.add("user alice")
    throttle.sweep(0)
    throttle.sweep(0)
    const [up, down] = [first!.upload[0], first!.download[0]]
    assert.notStrictEqual(up, down)
    assert.deepStrictEqual(changes(), [
      [up, 10],
      [down, 20]
    ])
    assert.deepStrictEqual(throttle.enter(alice, rates, 0), {
      upload: [up, 10, 10],
      download: [down, 20, 20]
    })
    spent.clear()
    throttle.sweep(0)
    assert.deepStrictEqual(changes(), [
      [up, first!.upload[1]],
      [down, first!.download[1]]
    ])
  })

  it("watches an account while it has sessions", () => {
    const { spent, changes, throttle } = make()
    throttle.enter(alice, rates, 0)
    throttle.enter(alice, rates, 0)
    throttle.leave(alice)
    spent.add("user alice")
    throttle.sweep(0)
    assert.lengthOf(changes(), 2)
    throttle.leave(alice)
    throttle.leave(alice)
    spent.clear()
    throttle.sweep(0)
    assert.deepStrictEqual(changes(), [])
  })
})
