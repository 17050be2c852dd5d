/**
 * What a word was meant to be.
 */
import { assert, it } from "@effect/vitest"
import { table } from "../../src/cli/Settings.ts"
import { flagName, texts } from "../../src/config/Setting.ts"
import { nearest } from "../../src/config/Suggest.ts"

const names = Object.keys(texts(table)).map(flagName)

it.each([
  ["idle-timout", "idle-timeout"],
  ["idleTimeout", "idle-timeout"],
  ["IDLE_TIMEOUT", "idle-timeout"],
  ["listener", "listen"],
  ["listn", "listen"],
  ["users", "user"],
  ["udpp", "udp"],
  ["max-session", "max-sessions"]
])("takes %s for %s", (word, expected) => {
  assert.strictEqual(nearest(word, names), expected)
})

it.each(["", "x", "password", "timeout", "rules", "idle-timeout-in-seconds", "💥", "a".repeat(100_000)])(
  "takes %.20s for nothing",
  (word) => {
    assert.isUndefined(nearest(word, names))
  }
)
