/**
 * The connections being served, and how many there may be.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { Config } from "../config/Config.ts"
import { TooManyHandshakes, TooManySessions } from "../Errors.ts"
import type { Peer } from "../phases/Dialect.ts"
import * as Descriptors from "./Descriptors.ts"
import { log, type Session } from "./Session.ts"

export class Sessions extends Context.Service<
  Sessions,
  {
    /** Takes on a connection, for the length of the scope. */
    readonly open: (peer: Peer) => Effect.Effect<Session, TooManyHandshakes, Scope.Scope>
    /** Counts a connection as one from elsewhere, once a proxy has said whose it is. */
    readonly attribute: (session: Session, peer: Peer) => Effect.Effect<void, TooManyHandshakes>
    /** Makes a connection whose request is read a session, which needs more descriptors. */
    readonly admit: (session: Session) => Effect.Effect<void, TooManySessions>
    /** Ends the session of a connection, and makes a new one of it. */
    readonly renew: (session: Session) => Effect.Effect<void>
    /** All connections, the oldest first. */
    readonly list: Effect.Effect<ReadonlyArray<Session>>
  }
>()("effect-socks/server/Sessions") {
  static readonly layer: Layer.Layer<Sessions, never, Config> = Layer.effect(
    Sessions,
    Effect.gen(function* () {
      const { maxSessions, udpAssociations } = yield* Config
      const descriptors = yield* Descriptors.budget
      const limit = maxSessions === "auto" ? Math.floor(descriptors / 2) : maxSessions
      // Those who never finish a handshake leave the rest to those who do, and one
      // of them alone leaves half of that to the others.
      const handshakeLimit = Math.ceil(descriptors / 2)
      const handshakeLimitEach = Math.ceil(descriptors / 4)

      const mostAssociations = udpAssociations === "off" ? Infinity : udpAssociations

      const live = new Set<Session>()
      /** The descriptors each of them uses beside its connection's own. */
      const admitted = new Map<Session, number>()
      let more = 0
      const handshakes = new Map<string, number>()
      let count = 0

      /** By whose they are. */
      const associations = new Map<string, number>()

      const tally = (counts: Map<string, number>, key: string, change: 1 | -1) => {
        const current = (counts.get(key) ?? 0) + change
        if (current === 0) counts.delete(key)
        else counts.set(key, current)
      }
      const shake = (host: string, change: 1 | -1) => tally(handshakes, host, change)

      const fresh = (now: number) => ({ id: ++count, startedAt: now, traffic: { sent: 0, received: 0 } })

      /** How many more handshakes there may be with this host. */
      const room = (host: string) => handshakeLimitEach - (handshakes.get(host) ?? 0)

      const begin = (peer: Peer, now: number): Session => {
        const session = { ...fresh(now), peer }
        live.add(session)
        shake(hostOf(peer), 1)
        return session
      }

      /** Back to where it was before `admit`, if it ever went there. */
      const dismiss = (session: Session) => {
        const takes = admitted.get(session)
        if (takes === undefined) return
        admitted.delete(session)
        more -= takes
        if (isAssociation(session)) tally(associations, ownerOf(session), -1)
        shake(hostOf(session.peer), 1)
      }

      const end = (session: Session) => {
        dismiss(session)
        live.delete(session)
        shake(hostOf(session.peer), -1)
      }

      return {
        open: (peer) =>
          Effect.gen(function* () {
            const shaking = live.size - admitted.size
            if (shaking >= handshakeLimit || live.size + more >= descriptors) {
              return yield* new TooManyHandshakes({ limit: handshakeLimit })
            }
            if (room(hostOf(peer)) <= 0) return yield* new TooManyHandshakes({ limit: handshakeLimitEach })
            const session = begin(peer, yield* Clock.currentTimeMillis)
            yield* Effect.addFinalizer(() => {
              end(session)
              return log(session)
            })
            return session
          }),
        attribute: (session, peer) =>
          Effect.suspend(() => {
            const isElsewhere = hostOf(peer) !== hostOf(session.peer)
            if (isElsewhere && room(hostOf(peer)) <= 0)
              return Effect.fail(new TooManyHandshakes({ limit: handshakeLimitEach }))
            shake(hostOf(session.peer), -1)
            shake(hostOf(peer), 1)
            session.peer = peer
            return Effect.void
          }),
        admit: (session) =>
          Effect.suspend(() => {
            // A target's connection; or the relay port and a socket per family.
            const takes = isAssociation(session) ? 3 : 1
            if (isAssociation(session) && (associations.get(ownerOf(session)) ?? 0) >= mostAssociations) {
              return Effect.fail(new TooManySessions({ limit: mostAssociations }))
            }
            if (admitted.size >= limit || live.size + more + takes > descriptors) {
              return Effect.fail(new TooManySessions({ limit }))
            }
            admitted.set(session, takes)
            more += takes
            if (isAssociation(session)) tally(associations, ownerOf(session), 1)
            shake(hostOf(session.peer), -1)
            return Effect.void
          }),
        renew: Effect.fnUntraced(function* (session) {
          yield* log(session)
          dismiss(session)
          for (const known of [
            "identity",
            "request",
            "address",
            "decision",
            "outcome",
            "told",
            "status"
          ] as const)
            delete session[known]
          Object.assign(session, fresh(yield* Clock.currentTimeMillis))
        }),
        list: Effect.sync(() => [...live])
      }
    })
  )
}

/** What handshakes are counted by: clients of a Unix-domain socket as one host. */
const hostOf = ({ remote }: Peer): string =>
  NetAddress.isInetAddress(remote) ? NetAddress.formatHost(remote) : remote.path

const isAssociation = ({ request }: Session): boolean => request?.command === "ASSOCIATE"

/** Whose a session is: its user's, or if nobody was asked, its address's. */
const ownerOf = ({ identity, peer }: Session): string =>
  identity?.user === undefined ? hostOf(peer) : `user ${identity.user}`
