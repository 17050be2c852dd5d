/**
 * The addresses of this machine's interfaces, and servers that need to know them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import * as ListenAddress from "../../src/config/ListenAddress.ts"
import * as Interfaces from "../../src/network/Interfaces.ts"
import { LocalAddresses } from "../../src/policy/LocalAddresses.ts"
import { Policy } from "../../src/policy/Policy.ts"
import * as Config from "../../src/server/Config.ts"
import { access } from "../support/rules.ts"

const wide: Partial<Config.Values> = { listen: [Option.getOrThrow(ListenAddress.fromString("0.0.0.0:1080"))] }

const policy = (read: () => ReadonlyArray<string>, values: Partial<Config.Values> = wide) =>
  Layer.provide(
    Policy.layer,
    LocalAddresses.layerOf(() => read().map(NetAddress.ipFromStringUnsafe))
  ).pipe(Layer.provide(Config.layer(values)))

const verdict = Effect.fnUntraced(function* (text: string) {
  const { judge } = yield* Policy
  return (yield* judge(access({ to: text }), NetAddress.ipFromStringUnsafe(text))).verdict
})

describe("Interfaces", () => {
  it("have loopback among their addresses, and no address with a zone", () => {
    const texts = Interfaces.addresses().map(NetAddress.formatIp)
    assert.include(texts, "127.0.0.1")
    assert.isEmpty(texts.filter((text) => text.includes("%")))
  })

  it.effect("are read by the policy again after a change", () => {
    let addresses = ["8.8.4.4"]
    return Effect.gen(function* () {
      assert.strictEqual(yield* verdict("8.8.4.4"), "deny")
      assert.strictEqual(yield* verdict("8.8.4.5"), "allow")
      addresses = ["8.8.4.5"]
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* verdict("8.8.4.4"), "allow")
      assert.strictEqual(yield* verdict("8.8.4.5"), "deny")
    }).pipe(Effect.provide(policy(() => addresses)))
  })

  const broken = () => {
    throw new Error("EAFNOSUPPORT")
  }

  it.effect("must be known if clients must not reach them", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.provide(verdict("8.8.8.8"), policy(broken)))
      assert.strictEqual(
        error.message,
        '--private-targets: "auto" is not possible here, because the system does not report this machine\'s ' +
          "addresses (AF_NETLINK); use allow"
      )
    })
  )

  it.effect("need not be known otherwise", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* verdict("8.8.8.8"), "allow")
    }).pipe(Effect.provide(policy(broken, { ...wide, privateTargets: "allow" })))
  )
})
