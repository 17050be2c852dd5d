/**
 * Where datagrams may go if nobody says otherwise.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import { DatagramPolicy } from "../../src/policy/DatagramPolicy.ts"
import { clientAddress } from "../../src/testing/index.ts"

const isAllowed = Effect.fnUntraced(function* (text: string) {
  const { judge } = yield* DatagramPolicy
  const address = NetAddress.ipFromStringUnsafe(text)
  const flow = {
    identity: undefined,
    client: clientAddress.address,
    target: { host: address, port: 53 },
    address
  }
  return yield* Effect.match(judge(flow), { onFailure: () => false, onSuccess: () => true })
})

describe("DatagramPolicy", () => {
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
      })
    )
  }
})
