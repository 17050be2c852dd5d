/**
 * How many lines decisions may cost, where a client can have one with each datagram.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import type { Access } from "../../src/policy/Access.ts"
import * as DecisionLog from "../../src/policy/DecisionLog.ts"
import * as Config from "../../src/server/Config.ts"
import { captured } from "../support/logs.ts"
import { access } from "../support/rules.ts"

/** The writer of a server with these settings, and what it has written. */
const logging = (values: Partial<Config.Values> = {}) => {
  const { lines, layer } = captured()
  const log = DecisionLog.make()
  const denied = (command: Access["command"], times: number, user = "alice") =>
    log
      .write({
        access: { ...access({}), identity: { user }, command },
        decision: { verdict: "deny", rule: "one" },
        addresses: [],
        duration: 0
      })
      .pipe(Effect.repeat({ times: times - 1 }), Effect.provide(Layer.merge(layer, Config.layer(values))))
  return { denied, taken: () => lines.splice(0) }
}

describe("DecisionLog", () => {
  it.effect("has a bounded number of lines about a user's datagrams, and the number of the rest", () =>
    Effect.gen(function* () {
      const { denied, taken } = logging()
      yield* denied("ASSOCIATE", 5000)
      assert.lengthOf(taken(), 100)
      yield* denied("ASSOCIATE", 1, "bob")
      assert.lengthOf(taken(), 1)
      yield* TestClock.adjust("10 seconds")
      yield* denied("ASSOCIATE", 1)
      const [note, line] = taken()
      assert.strictEqual(note?.level, "Warn")
      assert.deepStrictEqual(note?.fields, { leftOut: 4900 })
      assert.strictEqual(line?.message, "decision")
    })
  )

  it.effect("has every line about connections, and with the setting all every line", () =>
    Effect.gen(function* () {
      const usual = logging()
      yield* usual.denied("CONNECT", 5000)
      assert.lengthOf(usual.taken(), 5000)
      const all = logging({ logDecisions: "all" })
      yield* all.denied("ASSOCIATE", 5000)
      assert.lengthOf(all.taken(), 5000)
    })
  )

  it.effect("leaves forwarded requests to the lines of their sessions, unless it is asked for them", () =>
    Effect.gen(function* () {
      const usual = logging()
      yield* usual.denied("FORWARD", 3)
      assert.lengthOf(usual.taken(), 0)
      const asked = logging({ logDecisions: "denied" })
      yield* asked.denied("FORWARD", 3)
      assert.lengthOf(asked.taken(), 3)
    })
  )
})
