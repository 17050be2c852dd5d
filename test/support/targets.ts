/**
 * Servers that a client may want to reach, on loopback.
 */
import { createServer as createHttpServer } from "node:http"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

const listening = <S extends Server>(server: S): Effect.Effect<number, never, Scope.Scope> =>
  Effect.gen(function* () {
    yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
    yield* Effect.callback<void>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    })
    return (server.address() as AddressInfo).port
  })

/** The port of a TCP server with half-close. */
export const tcp = (serve: (socket: Socket) => void) =>
  listening(
    createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {})
      serve(socket)
    })
  )

/** The port of one that sends back what it gets. */
export const echo = tcp((socket) => socket.pipe(socket))

/** The address of a page that says "it works". */
export const page = Effect.suspend(() =>
  listening(createHttpServer((_, response) => response.end("it works")))
).pipe(Effect.map((port) => `http://127.0.0.1:${port}/`))
