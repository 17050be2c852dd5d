/**
 * Whose account a session is counted for, and what that account may have.
 */
import { assert, describe, it } from "@effect/vitest"
import * as LimitKeys from "../../src/limits/LimitKeys.ts"
import { defaults, type Values } from "../../src/server/Config.ts"
import { admitted, from } from "../support/sessions.ts"

const config = {
  ...defaults,
  ...{ maxSessionsPerClient: 3, maxSessionsPerUser: 4, sessionRate: 5, dailyQuota: 6, monthlyQuota: "off" }
} satisfies Values

const origin = { host: "203.0.113.1" }

describe("the accounts of a session", () => {
  it("are the client's, with the rate of new sessions, without a user", () => {
    assert.deepStrictEqual(LimitKeys.ofClient({ origin, admitted: admitted() }, config), [
      { whose: "client", key: "client 203.0.113.1", isOwner: true, limits: { sessions: 3, sessionRate: 5 } }
    ])
  })

  it("are the client's and the user's, whose own limits beat those of the settings", () => {
    const identity = { user: "alice", limits: { sessions: 9 } }
    assert.deepStrictEqual(LimitKeys.ofClient({ origin, admitted: admitted(identity) }, config), [
      { whose: "client", key: "client 203.0.113.1", limits: { sessions: 3 } },
      {
        ...{ whose: "user", key: "user alice", isOwner: true },
        limits: { sessions: 9, sessionRate: 5, dailyQuota: 6, monthlyQuota: Infinity }
      }
    ])
  })

  it("are a rule's only if it has limits", () => {
    assert.isUndefined(LimitKeys.ofRule({ rule: "ours" }, config))
    assert.deepStrictEqual(LimitKeys.ofRule({ rule: "ours", limits: { sessions: 1 } }, config), {
      ...{ whose: "rule", key: "rule ours", limits: { sessions: 1 } }
    })
  })
})

describe("the owner of a session", () => {
  it("is the user, or the client's address without one", () => {
    const peer = from("203.0.113.1")
    assert.deepStrictEqual(LimitKeys.ownerOf({ identity: { user: undefined }, peer }), {
      ...{ whose: "client", key: "client 203.0.113.1" }
    })
    assert.deepStrictEqual(LimitKeys.ownerOf({ identity: { user: "alice" }, peer }), {
      ...{ whose: "user", key: "user alice" }
    })
  })
})
