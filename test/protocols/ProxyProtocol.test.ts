/**
 * Whose PROXY headers are believed: those from the networks in the settings, and
 * no others (a client that could send one could be anybody).
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import { TestClock } from "effect/testing"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { connect, connectWith, layer } from "../../src/testing/index.ts"
import { greeting, proxyV1, proxyV2, reply, request } from "../support/messages.ts"

const announced = [192, 0, 2, 77, 198, 51, 100, 1, 0xc3, 0x50, 0x04, 0x38]
const headers = {
  "version 1": proxyV1("PROXY TCP4 192.0.2.77 198.51.100.1 50000 1080"),
  "version 2": proxyV2(0x21, 0x11, announced)
}
const conversation = [...greeting(0x00), ...request("192.0.2.1", 80)]
const answer = [0x05, 0x00, ...reply(0x00, [0x01, 198, 51, 100, 1, 0x04, 0x38])]

/** Clients come from 203.0.113.7 unless told otherwise. */
const behindProxy = layer({
  config: { privateTargets: "allow", proxyProtocolFrom: [IpNetwork.fromStringUnsafe("203.0.113.0/24")] }
})

/** The one connection, as the server sees its client. */
const client = Effect.gen(function* () {
  const { list } = yield* SessionRegistry
  const [session] = yield* list
  const { remote, via } = session!.peer
  return [NetAddress.formatSocketAddress(remote), via && NetAddress.formatSocketAddress(via)]
})

describe("from a trusted proxy", () => {
  for (const [version, header] of Object.entries(headers)) {
    it.effect(`${version} names the client`, () =>
      Effect.gen(function* () {
        const peer = yield* connect
        yield* peer.send([...header, ...conversation])
        assert.deepStrictEqual([...(yield* peer.receive(12))], answer)
        assert.deepStrictEqual(yield* client, ["192.0.2.77:50000", "203.0.113.7:50000"])
      }).pipe(Effect.provide(behindProxy))
    )

    it.effect(`${version} may come byte by byte`, () =>
      Effect.gen(function* () {
        const peer = yield* connect
        for (const byte of [...header, ...conversation]) yield* peer.send([byte])
        assert.deepStrictEqual([...(yield* peer.receive(12))], answer)
      }).pipe(Effect.provide(behindProxy))
    )

    it.effect(`${version} counts for the deadline of the handshake`, () =>
      Effect.gen(function* () {
        const peer = yield* connect
        yield* peer.send(header.slice(0, -1))
        yield* Effect.yieldNow
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual([...(yield* peer.rest)], [])
        assert.strictEqual(yield* peer.ending, "end")
      }).pipe(Effect.provide(behindProxy))
    )
  }

  it.effect("LOCAL leaves the connection its own address", () =>
    Effect.gen(function* () {
      const peer = yield* connect
      yield* peer.send([...proxyV2(0x20, 0x00, []), ...conversation])
      assert.deepStrictEqual([...(yield* peer.receive(12))], answer)
      assert.deepStrictEqual(yield* client, ["203.0.113.7:50000", undefined])
    }).pipe(Effect.provide(behindProxy))
  )

  it.effect("a missing header closes the connection", () =>
    Effect.gen(function* () {
      const peer = yield* connect
      yield* peer.send(conversation)
      assert.deepStrictEqual([...(yield* peer.rest)], [])
    }).pipe(Effect.provide(behindProxy))
  )

  it.effect("a second header is not a header", () =>
    Effect.gen(function* () {
      const peer = yield* connect
      yield* peer.send([...headers["version 1"], ...headers["version 2"], ...conversation])
      assert.deepStrictEqual([...(yield* peer.rest)], [])
    }).pipe(Effect.provide(behindProxy))
  )
})

describe("from other networks", () => {
  for (const [version, header] of Object.entries(headers)) {
    for (const [where, services] of [
      ["with other proxies trusted", behindProxy],
      ["with none trusted", layer()]
    ] as const) {
      it.effect(`${version} is not read, ${where}`, () =>
        Effect.gen(function* () {
          const peer = yield* connectWith({
            remote: NetAddress.inetAddressFromStringUnsafe("203.0.114.7:50000")
          })
          yield* peer.send([...header, ...conversation])
          const [first, second] = yield* peer.rest
          // Version 1 is text, which could have been HTTP.
          assert.include([undefined, "H".charCodeAt(0)], first)
          assert.notStrictEqual(second, 0x00)
        }).pipe(Effect.provide(services))
      )
    }
  }

  it.effect("connections need no header", () =>
    Effect.gen(function* () {
      const peer = yield* connectWith({ remote: NetAddress.inetAddressFromStringUnsafe("203.0.114.7:50000") })
      yield* peer.send(conversation)
      assert.deepStrictEqual([...(yield* peer.receive(12))], answer)
      assert.deepStrictEqual(yield* client, ["203.0.114.7:50000", undefined])
    }).pipe(Effect.provide(behindProxy))
  )

  it.effect("nor do connections to a Unix-domain socket", () =>
    Effect.gen(function* () {
      const peer = yield* connectWith({ remote: NetAddress.unixPathAddress("/run/socks") })
      yield* peer.send(conversation)
      assert.deepStrictEqual([...(yield* peer.receive(12))], answer)
      assert.deepStrictEqual(yield* client, ["/run/socks", undefined])
    }).pipe(Effect.provide(behindProxy))
  )
})
