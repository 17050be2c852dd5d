/**
 * What sessions have in common, and that nobody gets what another user has.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as UserParameters from "../../src/auth/UserParameters.ts"
import * as SessionKey from "../../src/routes/SessionKey.ts"
import { holds } from "../support/property.ts"
import { ip } from "../support/rules.ts"

const client = ip("203.0.113.7")

const sessionOf = (user: string, session: string, life?: string) => ({
  identity: { user, parameters: { session, ...(life !== undefined && { life }) } },
  client
})

/** Names with what keys are made of in them. */
const user = fc.oneof(
  fc.string(),
  fc.stringMatching(/^(?:user|client|session|of|[0-9]| ){1,8}$/),
  fc.constantFrom("alice", "1 of alice", "session 1 of alice", "alice 600000")
)
const value = fc.stringMatching(/^\w{1,8}$/)
const life = fc.constantFrom(undefined, "1s", "10m", "30d")

describe("the key of a session", () => {
  it("differs for each user and each session, whatever their names and times to live are", () => {
    const one = fc.tuple(user, value, life)
    const now = fc.nat(2_000_000_000_000)
    holds(
      fc.property(one, one, now, fc.constantFrom("session", "user"), ([a, b, c], [d, e, f], now, by) => {
        fc.pre(a !== d || (by === "session" && b !== e))
        const options = { by, ttl: "life" }
        assert.notStrictEqual(
          SessionKey.of(sessionOf(a, b, c), options, now),
          SessionKey.of(sessionOf(d, e, f), options, now)
        )
      })
    )
  })

  it("is made of nothing that is no parameter", () => {
    const who = { identity: { user: "alice", parameters: {} }, client }
    assert.isUndefined(SessionKey.of(who, { by: "constructor", ttl: "toString" }, 0))
    assert.isUndefined(SessionKey.of({ ...who, client: undefined }, { by: "client", ttl: undefined }, 0))
  })

  it("has parameters of the declared types only, of any name", () => {
    const declared: ReadonlyArray<UserParameters.UserParameter> = [
      { name: "session", values: undefined },
      { name: "country", values: ["de", "fr"] },
      { name: "life", values: "ttl" }
    ]
    const part = fc.oneof(value, fc.string(), fc.constantFrom("session", "country", "life", "de", "10m", "-"))
    holds(
      fc.property(fc.array(part, { maxLength: 9 }), (parts) => {
        const found = UserParameters.read(declared, parts.join("-"))
        if ("refused" in found) return
        for (const [name, text] of Object.entries(found.parameters)) {
          assert.match(text, /^\w{1,64}$/)
          assert.isTrue(UserParameters.isValue(declared.find((each) => each.name === name)!, text))
        }
      })
    )
  })
})
