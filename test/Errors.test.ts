/**
 * Errors that carry no stack trace, and what making them leaves behind.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Errors from "../src/Errors.ts"
import {
  AuthenticationFailed,
  BadSetting,
  ConnectFailed,
  ConnectionRefused,
  NotAllowed,
  ServerFault,
  SessionLimitReached
} from "../src/Errors.ts"

describe("Errors", () => {
  it("have no stack trace, and leave the stack traces of other errors as they are", () => {
    const limit = Error.stackTraceLimit
    assert.notMatch(String(new ConnectFailed({ code: "EIO" }).stack), /\n\s+at /)
    assert.strictEqual(Error.stackTraceLimit, limit)
    assert.match(String(new Error("another").stack), /\n\s+at /)
  })

  it("leave the stack traces of other errors as they are, also when making one fails", () => {
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

describe("the message of an error", () => {
  for (const [error, message] of [
    [new ConnectionRefused(), "connection refused"],
    [new ConnectFailed({ code: "EIO" }), "connect failed: code EIO"],
    [new NotAllowed({ reason: "a rule", rule: "no mail" }), "not allowed: a rule, rule no mail"],
    [new SessionLimitReached({ whose: "user", limit: 5 }), "session limit reached: whose user, limit 5"],
    [new AuthenticationFailed({ user: "alice" }), "authentication failed: user alice"],
    [new ServerFault({ defect: new Error("secret") }), "server fault"],
    [
      new BadSetting({ setting: "--listen", value: '"x"', expected: "an address" }),
      '--listen: "x" is not an address'
    ]
  ] as const) {
    it(`is a sentence: ${message}`, () => {
      assert.strictEqual(error.message, message)
      assert.include(String(error), message)
      assert.notProperty({ ...error }, "message")
    })
  }

  it("exists for every error", () => {
    for (const [name, make] of Object.entries(Errors)) {
      if (!/^[A-Z]/.test(name) || name === "BadSettings") continue
      const { message } = new (make as unknown as new (fields: object) => Error)({})
      assert.match(message, /\w/, name)
    }
  })
})
