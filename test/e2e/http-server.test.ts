/**
 * `examples/http-server.ts`: what the HTTP server says of the proxy, and does to it.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { HttpServer } from "effect/http"
import * as NetAddress from "effect/net/NetAddress"
import { Server } from "effect-socks"
import { AppLive } from "../../examples/http-server.ts"
import { greeting, request } from "../support/messages.ts"
import { connect, echo } from "../support/sockets.ts"

it.live("lists the sessions of the proxy", () =>
  Effect.gen(function* () {
    const { addresses } = yield* Server
    const target = yield* echo()
    const client = yield* connect(addresses[0]!.port)
    yield* client.send([...greeting(0x00), ...request("127.0.0.1", target.port)])
    yield* client.receive(12)
    const { address } = yield* HttpServer.HttpServer
    const at = (path: string) => NetAddress.formatUrlUnsafe(address) + path
    const sessions = yield* Effect.promise(async () => (await fetch(at("/sessions"))).json())
    assert.strictEqual(
      (sessions as ReadonlyArray<{ readonly target: string }>)[0]?.target,
      `127.0.0.1:${target.port}`
    )
  }).pipe(
    // The client goes before the server, which would wait for it.
    Effect.scoped,
    Effect.provide(AppLive({ proxy: 0, http: 0 }))
  )
)
