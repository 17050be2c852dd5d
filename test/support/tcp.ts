/**
 * Both ends of a session over TCP, played by the test.
 */
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { type Peer, peer } from "../../src/testing/index.ts"
import { credentials, greeting, request } from "./messages.ts"

/** A connection to a server, or how the system answered instead. It comes from `localAddress`, where that is given. */
export const connect = (
  port: number,
  host = "127.0.0.1",
  localAddress?: string
): Effect.Effect<Peer, string, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Socket, string>((resume) => {
      const from = localAddress === undefined ? {} : { localAddress }
      const socket = connectSocket({ host, port, allowHalfOpen: true, ...from })
      socket.once("connect", () => resume(Effect.succeed(socket)))
      socket.once("error", (error: NodeJS.ErrnoException) => resume(Effect.fail(error.code ?? "unknown")))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  ).pipe(Effect.map(peer))

export interface Target {
  readonly port: number
  /** The next connection to it. */
  readonly accept: Effect.Effect<Peer>
}

/** A server on 127.0.0.1 that does what the test has it do. */
export const target: Effect.Effect<Target, never, Scope.Scope> = Effect.gen(function* () {
  const accepted = yield* Queue.unbounded<Peer>()
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    Queue.offerUnsafe(accepted, peer(socket))
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.sync(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
      })
  )
  return { port: (server.address() as AddressInfo).port, accept: Queue.take(accepted) }
})

/** A session through a server that asks for no password: the client's end, and the target's. */
export const session = Effect.fnUntraced(function* (
  port: number
): Effect.fn.Return<{ readonly client: Peer; readonly origin: Peer }, string, Scope.Scope> {
  const { port: targetPort, accept } = yield* target
  const client = yield* connect(port)
  yield* client.send([...greeting(0x00), ...request("127.0.0.1", targetPort)])
  const origin = yield* accept
  yield* client.receive(2 + 10)
  return { client, origin }
})

/** What a server answers to a name and password. */
export const authenticate = Effect.fnUntraced(function* (client: Peer, name: string, password: string) {
  yield* client.send([...greeting(0x02), ...credentials(name, password)])
  const answers = yield* client.receive(2 + 2)
  return [...answers.subarray(2)]
})

/** The same, on a connection of its own. */
export const logIn = (port: number, name: string, password: string) =>
  Effect.scoped(Effect.flatMap(connect(port), (client) => authenticate(client, name, password)))

/** A session of a user's, whose password is `secret`, to a target of the test's. */
export const sessionOf = Effect.fnUntraced(function* (
  name: string,
  port: number,
  { port: to, accept }: Target
) {
  const client = yield* connect(port)
  yield* authenticate(client, name, "secret")
  yield* client.send(request("127.0.0.1", to))
  const origin = yield* accept
  yield* client.receive(10)
  return { client, origin }
})
