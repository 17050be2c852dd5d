/**
 * Ports that several processes listen on, each with a socket of its own
 * (SO_REUSEPORT): whether the platform has that, and who may begin to.
 */
import { createServer, type ListenOptions, type Server } from "node:net"
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import type * as Scope from "effect/Scope"
import * as ListenAddress from "../config/ListenAddress.ts"
import { ListenFailed } from "../Errors.ts"

/** Whether two sockets of one port can listen. */
export const canReuse: Effect.Effect<boolean> = Effect.gen(function* () {
  const first = yield* held({ host: "127.0.0.1", port: 0, reusePort: true })
  const { port } = first.address() as { readonly port: number }
  yield* held({ host: "127.0.0.1", port, reusePort: true })
  return true
}).pipe(
  Effect.scoped,
  Effect.orElseSucceed(() => false)
)

/**
 * Fails where another program listens already: the kernel would let a server of
 * the same user join in, and give it a part of the connections.
 */
export const check = (places: ReadonlyArray<ListenAddress.Place>): Effect.Effect<void, ListenFailed> =>
  Effect.forEach(
    places.filter((place) => place._tag === "HostPort").filter(({ port }) => port !== 0),
    (place) =>
      Effect.mapError(
        held({ host: Host.formatHost(place.host), port: place.port }),
        (code) => new ListenFailed({ address: ListenAddress.format(place), code })
      ),
    { discard: true }
  ).pipe(Effect.scoped)

/** Listens until the scope closes. Fails with the system's code. */
const held = (options: ListenOptions): Effect.Effect<Server, string, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Server, string>((resume) => {
      const server = createServer((socket) => socket.destroy())
      server.once("error", (error: NodeJS.ErrnoException) => resume(Effect.fail(error.code ?? error.message)))
      server.listen(options, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )
