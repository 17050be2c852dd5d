/**
 * Where clients may go if nobody says otherwise.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Settings from "../../src/cli/Settings.ts"
import * as ListenAddress from "../../src/config/ListenAddress.ts"
import type { Access } from "../../src/policy/Access.ts"
import type { Decision, Judge } from "../../src/policy/Decision.ts"
import { LocalAddresses } from "../../src/policy/LocalAddresses.ts"
import { Policy } from "../../src/policy/Policy.ts"
import * as Config from "../../src/server/Config.ts"
import { clientAddress, serverAddress } from "../../src/testing/index.ts"

const access = (text: string, port: number): Access => ({
  identity: { user: undefined },
  client: clientAddress.address,
  listener: NetAddress.formatInet(serverAddress),
  protocol: "SOCKS5",
  command: "CONNECT",
  target: { host: NetAddress.ipFromStringUnsafe(text), port }
})

const isAllowed = Effect.fnUntraced(function* (text: string, port: number) {
  const { judge } = yield* Policy
  const { verdict: early } = yield* judge(access(text, port))
  const { verdict } = yield* judge(access(text, port), NetAddress.ipFromStringUnsafe(text))
  return early !== "deny" && verdict === "allow"
})

/** What is served here is on this address, and on those of loopback. */
const machine = LocalAddresses.layerFixed([NetAddress.ipFromStringUnsafe("9.9.9.9")])

const settings: Record<string, Partial<Config.Values>> = {
  "on loopback": {},
  "where others can connect": { listen: [Option.getOrThrow(ListenAddress.fromString("0.0.0.0:1080"))] }
}

describe("Policy", () => {
  for (const [address, ...expected] of [
    ["8.8.8.8", true, true],
    ["2606:4700:4700::1111", true, true],
    ["127.0.0.1", true, false],
    ["9.9.9.9", true, false],
    ["10.0.0.5", true, false],
    ["192.0.2.1", true, false],
    ["2001:db8::1", true, false],
    ["fd00::1", true, false],
    ["169.254.169.254", false, false],
    ["fd00:ec2::254", false, false],
    ["168.63.129.16", false, false],
    ["224.0.0.251", false, false],
    ["239.255.255.250", false, false],
    ["255.255.255.255", false, false],
    ["ff02::fb", false, false]
  ] as const) {
    for (const [index, [where, values]] of Object.entries(settings).entries()) {
      it.effect(`${where} ${expected[index] ? "lets" : "does not let"} them go to ${address}`, () =>
        Effect.gen(function* () {
          assert.strictEqual(yield* isAllowed(address, 53), expected[index])
        }).pipe(Effect.provide(Layer.provide(Policy.layer, [Config.layer(values), machine])))
      )
    }
  }

  for (const [denyTarget, expected] of [
    [undefined, false],
    ["*:587", false],
    ["10.0.0.0/8", false],
    ["*:587 *:465", false],
    ["*:25", false],
    ["none", true],
    ["none *:587", true],
    ["*:587 none", true],
    ["none *:25", false]
  ] as const) {
    it.effect(`denies mail where deny-target is ${denyTarget ?? "not given"}: ${!expected}`, () => {
      const given = denyTarget && {
        denyTarget: denyTarget
          .split(" ")
          .map((text) => Option.getOrThrow(Settings.table.denyTarget.read(text)))
      }
      return Effect.gen(function* () {
        assert.strictEqual(yield* isAllowed("8.8.8.8", 25), expected)
        assert.strictEqual(yield* isAllowed("8.8.8.8", 587), denyTarget?.includes("*:587") !== true)
      }).pipe(Effect.provide(Layer.provide(Policy.layer, [Config.layer({ ...given }), machine])))
    })
  }

  it.effect("allows what all its judges allow, one after the other", () =>
    Effect.gen(function* () {
      const says =
        (verdict: Decision["verdict"], rule: string): Judge =>
        () => ({ verdict, rule })
      const judged = (...judges: Parameters<typeof Policy.make>) =>
        Policy.make(...judges).judge(access("8.8.8.8", 53))
      const [allow, deny, later] = [says("allow", "a"), says("deny", "d"), says("undecided", "u")]
      assert.deepStrictEqual(yield* judged(allow, deny), { verdict: "deny", rule: "d" })
      assert.deepStrictEqual(yield* judged(deny, allow), { verdict: "deny", rule: "d" })
      assert.deepStrictEqual(yield* judged(later, allow), { verdict: "allow", rule: "a" })
      assert.deepStrictEqual(yield* judged(allow, later), { verdict: "undecided", rule: "u" })
    })
  )
})
