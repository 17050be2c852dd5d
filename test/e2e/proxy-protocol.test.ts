/**
 * PROXY headers on real connections, from two addresses of which one is trusted.
 *
 * @module-tag transport
 */
import { connect } from "node:net"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { peer } from "../../src/testing/index.ts"
import { greeting, proxyV1, proxyV2 } from "../support/messages.ts"
import { itNeeds } from "../support/needs.ts"
import * as Origin from "../support/origin.ts"
import { output } from "../support/processes.ts"
import * as Program from "../support/program.ts"

// Without HTTP, as which the text of version 1 could begin.
const trusting = Program.start([
  ...["--listen", "127.0.0.1:0", "--proxy-protocol-from", "127.0.0.2"],
  ...["--protocols", "socks5", "--private-targets", "allow", "--log-level", "debug"]
])

const dial = (address: string, localAddress: string) =>
  Effect.sync(() =>
    peer(connect({ host: "127.0.0.1", port: Number(address.split(":").at(-1)), localAddress }))
  )

itNeeds("curl")("curl needs no header, and cannot come without one from a trusted address", () =>
  Effect.gen(function* () {
    const { addresses, logged } = yield* trusting
    // Its own --haproxy-protocol is for the target: it sends that through the tunnel.
    const proxied = (from: string) => ["-s", "--interface", from, "-x", `socks5h://${addresses[0]}`]
    const { url } = yield* Origin.http()
    assert.strictEqual(yield* output("curl", [...proxied("127.0.0.1"), url]), Origin.page)
    yield* logged({ message: "session", outcome: "finished" })
    assert.strictEqual(yield* output("curl", [...proxied("127.0.0.2"), url]), "")
    const { client } = yield* logged({ outcome: "MalformedProxyHeader" })
    assert.match(String(client), /^127\.0\.0\.2:/)
  })
)

const announced = [192, 0, 2, 77, 198, 51, 100, 1, 0xc3, 0x50, 0x04, 0x38]
for (const [version, header] of [
  ["1", proxyV1("PROXY TCP4 192.0.2.77 198.51.100.1 50000 1080")],
  ["2", proxyV2(0x21, 0x11, announced)]
] as const) {
  it.live(`version ${version} names the client in the log, from a trusted address only`, () =>
    Effect.gen(function* () {
      const { addresses, logged } = yield* trusting
      const proxy = yield* dial(addresses[0]!, "127.0.0.2")
      yield* proxy.send([...header, ...greeting(0x00)])
      assert.deepStrictEqual([...(yield* proxy.receive(2))], [0x05, 0x00])
      yield* proxy.end
      const { via } = yield* logged({ client: "192.0.2.77:50000" })
      assert.match(String(via), /^127\.0\.0\.2:/)

      const impostor = yield* dial(addresses[0]!, "127.0.0.1")
      yield* impostor.send([...header, ...greeting(0x00)])
      assert.deepStrictEqual([...(yield* impostor.rest)], [])
      const { client } = yield* logged({ outcome: "UnknownProtocol", firstByte: header[0]! })
      assert.match(String(client), /^127\.0\.0\.1:/)
    })
  )
}
