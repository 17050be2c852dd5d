/**
 * Errors that carry no stack trace, and what making them leaves behind.
 */
import { assert, describe, it } from "@effect/vitest"
import { ConnectFailed } from "../src/Errors.ts"

describe("Errors", () => {
  it("have no stack trace, and leave those of others as they were", () => {
    const limit = Error.stackTraceLimit
    assert.notMatch(String(new ConnectFailed({ code: "EIO" }).stack), /\n\s+at /)
    assert.strictEqual(Error.stackTraceLimit, limit)
    assert.match(String(new Error("another").stack), /\n\s+at /)
  })

  it("leave the stack traces of others as they were, if making one fails", () => {
    const limit = Error.stackTraceLimit
    const fields = {
      get code(): string {
        throw new Error("no code")
      }
    }
    try {
      assert.throws(() => new ConnectFailed(fields), "no code")
      assert.strictEqual(Error.stackTraceLimit, limit)
    } finally {
      Error.stackTraceLimit = limit
    }
  })
})
