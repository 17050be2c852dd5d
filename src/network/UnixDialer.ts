/**
 * Connects to Unix-domain sockets, on Node's streams. The connection can be relayed to and from one on descriptors.
 */
import { connect as dial } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as NodeTransport from "./NodeTransport.ts"
import type { Transport } from "./Transport.ts"

/** A connection to the socket at a path. It closes with the scope. Fails with the system's error code. */
export const connect = (path: string): Effect.Effect<Transport, string, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = dial({ path, allowHalfOpen: true })
      return { socket, transport: NodeTransport.make(socket) }
    }),
    ({ transport }) => Effect.sync(() => transport.close())
  ).pipe(
    Effect.flatMap(({ socket, transport }) =>
      Effect.callback<Transport, string>((resume) => {
        const failed = ({ code = "unknown" }: NodeJS.ErrnoException) => resume(Effect.fail(code))
        socket.on("error", failed)
        socket.once("connect", () => {
          socket.off("error", failed)
          resume(Effect.succeed(transport))
        })
      })
    )
  )
