/**
 * Where clients may go if nobody says otherwise.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import { Config } from "../../src/config/Config.ts"
import { Policy } from "../../src/policy/Policy.ts"
import { clientAddress, serverAddress } from "../../src/testing/index.ts"

const isAllowed = Effect.fnUntraced(function* (text: string) {
  const { judge } = yield* Policy
  const address = NetAddress.ipFromStringUnsafe(text)
  const access = {
    identity: { user: undefined },
    client: clientAddress.address,
    listener: NetAddress.formatInet(serverAddress),
    protocol: "SOCKS5",
    command: "CONNECT",
    target: { host: address, port: 53 }
  } as const
  return (yield* judge(access, address)).verdict === "allow"
})

describe("Policy", () => {
  for (const [address, expected] of [
    ["192.0.2.1", true],
    ["127.0.0.1", true],
    ["2001:db8::1", true],
    ["224.0.0.251", false],
    ["239.255.255.250", false],
    ["255.255.255.255", false],
    ["ff02::fb", false]
  ] as const) {
    it.effect(`${expected ? "lets" : "does not let"} them go to ${address}`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* isAllowed(address), expected)
      }).pipe(Effect.provide(Layer.provide(Policy.layer, Config.layer())))
    )
  }
})
