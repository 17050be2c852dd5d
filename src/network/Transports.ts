/**
 * Chooses the transport of the server's TCP connections, Unix-domain sockets and datagrams.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as DescriptorSockets from "./descriptors/DescriptorSockets.ts"
import * as DescriptorUdpSockets from "./descriptors/DescriptorUdpSockets.ts"
import * as Libc from "./descriptors/Libc.ts"
import { Pipes } from "./descriptors/Pipes.ts"
import { Poller } from "./descriptors/Poller.ts"
import * as PrimarySockets from "./descriptors/PrimarySockets.ts"
import * as SelfCheck from "./descriptors/SelfCheck.ts"
import { System } from "./descriptors/System.ts"
import * as NodeSockets from "./NodeSockets.ts"
import { Sockets } from "./Sockets.ts"
import type { Sockets as SocketsService } from "./Transport.ts"
import { TransportSettings } from "./TransportSettings.ts"
import type { UdpSockets as UdpSocketsService } from "./UdpSocket.ts"
import { UdpSockets } from "./UdpSockets.ts"

/** The transport that serves. */
export interface Choice {
  readonly name: "node" | "descriptors"
  /** Why descriptors do not serve, although the setting names them. */
  readonly lacking?: string
  /** Why descriptors serve no datagrams, although they serve connections. */
  readonly lackingUdp?: string
}

interface OnDescriptors {
  readonly sockets: SocketsService
  readonly udpSockets: UdpSocketsService | undefined
  readonly choice: Choice
}

export const CurrentTransport = Context.Reference<Readonly<Choice>>("effect-socks/network/CurrentTransport", {
  defaultValue: () => ({ name: "node" })
})

/** Sockets on descriptors, until the scope closes. Fails with the reason if there are none. */
const descriptors: Effect.Effect<OnDescriptors, string, Scope.Scope> = Effect.gen(function* () {
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const report = (defect: unknown) => void fork(Effect.logError("a connection died", defect))
  const loop = Effect.tryPromise({
    try: async () => {
      const libc = await Libc.load()
      const { refusesSplice, lackingUdp } = SelfCheck.run(libc)
      const system = new System(libc)
      const pipes = new Pipes(system)
      pipes.isRefused = refusesSplice
      return { system, pipes, poller: new Poller(system, libc.poll), report, lackingUdp }
    },
    catch: (error) => (error instanceof Error ? error.message : String(error))
  })
  const held = yield* Effect.acquireRelease(loop, ({ poller, pipes }) =>
    Effect.sync(() => {
      poller.close()
      pipes.release()
    })
  )
  const { lackingUdp } = held
  return {
    sockets: DescriptorSockets.make(held),
    udpSockets: lackingUdp === undefined ? DescriptorUdpSockets.make(held) : undefined,
    choice: { name: "descriptors", ...(lackingUdp !== undefined && { lackingUdp }) }
  }
})

/**
 * The sockets of the setting, unless there are others already. Where descriptors are not available, Node's sockets
 * serve; by `auto` in silence, as nobody has asked for descriptors. A worker gets some of its listening sockets from its
 * primary.
 */
export const layer = ({
  isWorker = false
}: {
  readonly isWorker?: boolean
} = {}): Layer.Layer<never, never, TransportSettings> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const { transport } = yield* TransportSettings
      const node = Context.make(CurrentTransport, { name: "node" })
      const isReplaced = (yield* Effect.context<never>()).mapUnsafe.has(Sockets.key)
      if (isReplaced || transport === "node" || (transport === "auto" && !Libc.isProven())) return node
      return yield* descriptors.pipe(
        Effect.map(({ sockets, udpSockets, choice }) =>
          Context.make(
            Sockets,
            isWorker ? PrimarySockets.ofWorker(sockets, NodeSockets.make()) : sockets
          ).pipe(
            Context.add(CurrentTransport, choice),
            udpSockets === undefined ? identity : Context.add(UdpSockets, udpSockets)
          )
        ),
        Effect.catch((lacking) =>
          Effect.succeed(
            transport === "auto" ? node : Context.make(CurrentTransport, { name: "node", lacking })
          )
        )
      )
    })
  )
