/**
 * Listening sockets that workers share: Unix-domain sockets, sockets of systemd, and sockets on a port that the system
 * chose. The primary binds each of them once, and every worker accepts from it.
 */
import cluster from "node:cluster"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { askPrimary, type PrimaryPlace, type PrimarySocket } from "../NodeInternals.ts"
import type { ListenOptions, Place, Sockets } from "../Transport.ts"
import * as DescriptorSockets from "./DescriptorSockets.ts"

/**
 * The sockets of a worker. It asks its primary for the sockets that it shares. `node` listens instead where the primary
 * cannot be asked in this way.
 */
export const ofWorker = (
  { connect, listen }: Sockets,
  node: Pick<Sockets, "listen">,
  primary: object = cluster
): Sockets => ({
  connect,
  listen: Effect.fnUntraced(function* (options) {
    const { place } = options
    if (isOwn(place)) return yield* listen(options)
    const fd = yield* shared(primary, options)
    if (fd === undefined) return yield* node.listen(options)
    // The listener has a duplicate.
    return yield* listen({ ...options, place: { fd, path: "path" in place ? place.path : undefined } })
  })
})

const isOwn = (place: Place): boolean => "host" in place && place.sharing !== undefined

/** The descriptor of the primary's socket, until the scope closes; undefined where the primary cannot be asked. */
const shared = Effect.fnUntraced(function* (
  primary: object,
  { place, lost = () => () => {} }: ListenOptions
): Effect.fn.Return<number | undefined, string, Scope.Scope> {
  const wanted = yield* primaryPlace(place)
  const socket = yield* Effect.acquireRelease(
    Effect.callback<PrimarySocket | undefined, string>((resume) => {
      const cancel = lost(() => resume(Effect.fail("EPIPE")))
      const isAsked = askPrimary(primary, wanted, (outcome) => {
        cancel()
        resume(typeof outcome === "string" ? Effect.fail(outcome) : Effect.succeed(outcome))
      })
      if (isAsked) return
      cancel()
      resume(Effect.succeed(undefined))
    }),
    (socket) => Effect.sync(() => socket?.release())
  )
  return socket?.fd
})

const primaryPlace = (place: Place): Effect.Effect<PrimaryPlace, string> => {
  if ("fd" in place) return Effect.succeed({ fd: place.fd })
  if ("path" in place) return Effect.succeed({ path: place.path })
  return Effect.map(DescriptorSockets.addressOf(place.host), (address) => ({
    address: NetAddress.formatIp(address),
    isIpv4: NetAddress.isIpv4Address(address),
    port: place.port
  }))
}
