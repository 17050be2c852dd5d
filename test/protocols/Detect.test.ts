/**
 * Which of the protocols a server speaks, by its configuration.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ProtocolName } from "../../src/config/Parsers.ts"
import { connect, layer } from "../../src/testing/index.ts"
import { message } from "../support/http.ts"
import { greeting } from "../support/messages.ts"

/** What a client says first, and the first byte that it hears. */
const first = {
  socks5: [greeting(0x00), 0x05],
  socks4: [[0x04, 0x02, 0, 80, 192, 0, 2, 1, 0], 0x00],
  http: [message(["GET / HTTP/1.1", "Host: x"]), 0x48]
} as const

const all = Object.keys(first) as ReadonlyArray<ProtocolName>

for (const left of all) {
  it.effect(`without ${left}, its clients get no reply and the others get one`, () =>
    Effect.gen(function* () {
      for (const protocol of all) {
        const client = yield* connect
        const [sent, answer] = first[protocol]
        yield* client.send(sent)
        const [byte] = yield* client.receive(1)
        assert.strictEqual(byte, protocol === left ? undefined : answer, protocol)
      }
    }).pipe(Effect.provide(layer({ config: { protocols: all.filter((protocol) => protocol !== left) } })))
  )
}
