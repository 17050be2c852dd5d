/**
 * Which names in certificates can be users.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { userOf } from "../../src/auth/CertificateUser.ts"

describe("the user of a certificate", () => {
  const whole = "O=Example\nCN=alice"
  for (const [name, why] of [
    ["alice\0.evil", "NUL"],
    ["alice\n", "a line break"],
    ["alice\u202e", "a mark that turns the direction of text"],
    ["", "nothing"],
    ["x".repeat(256), "more than is shown of a name"]
  ] as const) {
    it.effect(`is not a name that has ${why}`, () =>
      Effect.gen(function* () {
        const { reason } = yield* Effect.flip(userOf({ commonNames: [name], whole }))
        assert.strictEqual(reason, "an unusable common name")
      })
    )
  }

  it.effect("is missing if the subject is empty", () =>
    Effect.gen(function* () {
      const { reason } = yield* Effect.flip(userOf({ commonNames: [], whole: "" }))
      assert.strictEqual(reason, "an unusable subject")
    })
  )
})
