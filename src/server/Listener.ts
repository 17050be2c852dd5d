/**
 * A listener: on a TCP port, on a Unix-domain socket, or on the sockets that systemd passed.
 */
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import type * as Scope from "effect/Scope"
import * as ListenAddress from "../config/ListenAddress.ts"
import { ListenFailed } from "../Errors.ts"
import type { Peer } from "../network/Peer.ts"
import { Sockets } from "../network/Sockets.ts"
import type { Bound, Place, Transport } from "../network/Transport.ts"
import { ListenBackend } from "./ListenBackend.ts"

export interface Options {
  /** The permission bits of the socket file. */
  readonly unixMode: number
  readonly onConnection: (transport: Transport, peer: Peer) => void
  /** Called when the system had no descriptor for a connection. */
  readonly onShortage: () => void
}

const backlog = 4096

/**
 * Listens until the scope closes. Returns the bound addresses: several, if systemd passed several sockets.
 */
export const listen = Effect.fnUntraced(function* (
  at: ListenAddress.Place,
  { unixMode, onConnection, onShortage }: Options
): Effect.fn.Return<ReadonlyArray<Bound>, ListenFailed, Scope.Scope> {
  const { reusePort, clear, withMode, passed, lost } = yield* ListenBackend
  const sockets = yield* Sockets
  const open = (place: Place, binding: (bind: () => void) => void = (bind) => bind()) =>
    Effect.map(
      sockets.listen({
        place,
        backlog,
        binding,
        lost,
        onShortage,
        onConnection: (transport, peer) => (peer ? onConnection(transport, peer) : transport.close())
      }),
      ({ bound }) => bound
    )
  const opened = Effect.gen(function* () {
    switch (at._tag) {
      case "HostPort": {
        // With port 0 each worker would get another port.
        const sharing = reusePort && at.port !== 0 ? "shared" : undefined
        return [yield* open({ host: Host.formatHost(at.host), port: at.port, sharing })]
      }
      case "UnixPathAddress": {
        yield* clear(at.path)
        return [yield* open({ path: at.path }, (bind) => withMode(unixMode, bind))]
      }
      case "Systemd": {
        const found = passed(at.name)
        if (found.length === 0) return yield* Effect.fail("ENODATA")
        return yield* Effect.forEach(found, ({ fd, path }) => open({ fd, path }))
      }
    }
  })
  return yield* Effect.mapError(
    opened,
    (code) => new ListenFailed({ address: ListenAddress.format(at), code })
  )
})
