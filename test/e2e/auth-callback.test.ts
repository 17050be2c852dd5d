/**
 * `examples/auth-callback.ts`, as clients of its proxy see it.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Server } from "effect-socks"
import { ProxyLive } from "../../examples/auth-callback.ts"
import { credentials, greeting, request } from "../support/messages.ts"
import { connect, echo } from "../support/sockets.ts"

it.live("accepts users of the service, and its own user", () =>
  Effect.gen(function* () {
    const { addresses, asksPassword } = yield* Server
    assert.isTrue(asksPassword)
    const target = yield* echo()
    const answers = Effect.fnUntraced(function* (name: string, password: string) {
      const client = yield* connect(addresses[0]!.port)
      yield* client.send([
        ...greeting(0x00, 0x02),
        ...credentials(name, password),
        ...request("127.0.0.1", target.port)
      ])
      return [...(yield* client.receive(6))]
    }, Effect.scoped)
    const connected = [5, 2, 1, 0, 5, 0]
    const refused = [5, 2, 1, 1]
    assert.deepStrictEqual(yield* answers("alice", "secret"), connected)
    assert.deepStrictEqual(yield* answers("alice", "guess"), refused)
    assert.deepStrictEqual(yield* answers("mallory", "secret"), refused)
    assert.deepStrictEqual(yield* answers("admin", "hunter2"), connected)
    assert.deepStrictEqual(yield* answers("admin", "secret"), refused)
  }).pipe(Effect.provide(ProxyLive(0)))
)
