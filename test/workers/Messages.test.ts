/**
 * Errors that go from a worker to its primary.
 */
import { assert, describe, it } from "@effect/vitest"
import { BadFile, BadSetting, BadSettings, ListenFailed, OpenProxyRefused } from "../../src/Errors.ts"
import type { Refusal } from "../../src/server/RunningServer.ts"
import * as Messages from "../../src/workers/Messages.ts"

const place = { file: "effect-socks.yaml", line: 3, column: 7 }

const bad = new BadSetting({ setting: "listen", value: '"nowhere"', expected: "HOST:PORT", path: [0], place })

/** One of each: a new one does not compile until it is here. */
const refusals: { readonly [Tag in Refusal["_tag"]]: Extract<Refusal, { readonly _tag: Tag }> } = {
  BadSetting: bad,
  BadSettings: new BadSettings({
    errors: [
      bad,
      new BadFile({ at: place, reason: "it is no YAML" }),
      new BadFile({ at: "users", reason: "gone" })
    ]
  }),
  ListenFailed: new ListenFailed({ address: "127.0.0.1:1080", code: "EADDRINUSE" }),
  OpenProxyRefused: new OpenProxyRefused({ address: "0.0.0.0:1080" })
}

const sent = (error: Error) => Messages.read(JSON.parse(JSON.stringify(Messages.write(error))))

describe("Messages", () => {
  for (const error of Object.values(refusals)) {
    it(`carry ${error._tag} as it was`, () => {
      const copy = sent(error)
      assert.strictEqual(copy.constructor, error.constructor)
      assert.strictEqual(copy.message, error.message)
      assert.deepStrictEqual({ ...copy }, { ...error })
    })
  }

  it("carry each error of a list unchanged, with its place in a file", () => {
    const copy = sent(refusals.BadSettings) as BadSettings
    assert.deepStrictEqual(
      copy.errors.map((error) => error.constructor),
      [BadSetting, BadFile, BadFile]
    )
  })

  for (const error of [
    new TypeError("a bug"),
    Object.assign(new Error("of another kind"), { _tag: "toString" })
  ]) {
    it(`carry a defect as a fault: ${error.message}`, () => {
      const copy = sent(error)
      assert.strictEqual(copy._tag, "WorkerFault")
      assert.strictEqual(copy.message, error.message)
    })
  }
})
