/**
 * The steps of the primary before its workers listen, each with a socket of its own for
 * the same port (SO_REUSEPORT) where the platform has that.
 */
import { createServer, type ListenOptions, type Server } from "node:net"
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import type * as Scope from "effect/Scope"
import * as ListenAddress from "../config/ListenAddress.ts"
import { ListenFailed } from "../Errors.ts"
import type { ListenSettings } from "../network/ListenSettings.ts"
import * as UnixSocket from "../server/UnixSocket.ts"

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

/** Prepares the listeners of `listen` for the workers. `before` are the listeners that the workers have already. */
export const prepare = Effect.fnUntraced(function* (
  { listen, unixMode }: Pick<ListenSettings["Service"], "listen" | "unixMode">,
  before: ListenSettings["Service"]["listen"],
  canReuse: boolean
): Effect.fn.Return<void, ListenFailed> {
  const known = new Set(before.map(placeOf).map(ListenAddress.format))
  const places = listen.map(placeOf).filter((place) => !known.has(ListenAddress.format(place)))
  if (canReuse) yield* check(places)
  const paths = places.filter((place) => place._tag === "UnixPathAddress")
  for (const place of paths) {
    yield* Effect.mapError(
      UnixSocket.clear(place.path),
      (code) => new ListenFailed({ address: ListenAddress.format(place), code })
    )
  }
  // The primary binds Unix-domain sockets for the workers, and the worker sets their mode.
  if (listen.some((at) => placeOf(at)._tag === "UnixPathAddress")) process.umask(0o177 | (0o777 & ~unixMode))
})

const placeOf = (at: ListenAddress.ListenAddress): ListenAddress.Place =>
  ListenAddress.placeOf(ListenAddress.endpointOf(at))

/**
 * Fails where another program listens already: with SO_REUSEPORT the kernel would let
 * both listen, if they are of the same user, and give each a part of the connections.
 */
const check = (places: ReadonlyArray<ListenAddress.Place>): Effect.Effect<void, ListenFailed> =>
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
