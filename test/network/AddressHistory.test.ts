/**
 * The bound of what is remembered of hosts. What it is for: `Dialer.test.ts`.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import { AddressHistory } from "../../src/network/AddressHistory.ts"

const first = NetAddress.ipFromStringUnsafe("2001:db8::1")
const worked = NetAddress.ipFromStringUnsafe("192.0.2.1")

describe("AddressHistory", () => {
  it.effect("keeps the hosts used last, and a bounded number of them", () =>
    Effect.gen(function* () {
      const { find, record } = yield* AddressHistory
      const hosts = Array.from({ length: 20_000 }, (_, i) => `host-${i}.example:443`)
      for (const host of hosts) record(host, first, worked)
      assert.isTrue(hosts.slice(0, -8192).every((host) => find(host) === undefined))
      assert.isTrue(hosts.slice(-4096).every((host) => find(host) === worked))
    }).pipe(Effect.provide(AddressHistory.layer))
  )

  it.effect("remembers nothing without a server", () =>
    Effect.gen(function* () {
      const { find, record } = yield* AddressHistory
      record("host.example:443", first, worked)
      assert.isUndefined(find("host.example:443"))
    })
  )
})
