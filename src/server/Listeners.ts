/**
 * The listeners of a server, which come and go with its settings while those
 * that stay are not touched.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as ListenAddress from "../config/ListenAddress.ts"
import { BadSetting, type ListenFailed } from "../Errors.ts"
import type { ListenSettings } from "../network/ListenSettings.ts"
import type { Peer } from "../network/Peer.ts"
import type { Bound, Transport } from "../network/Transport.ts"
import { printable } from "../wire/Text.ts"
import { ListenBackend } from "./ListenBackend.ts"
import * as Listener from "./Listener.ts"
import * as UnixSocket from "./UnixSocket.ts"

/** Takes a connection that came in. */
export type Serve = (transport: Transport, peer: Peer) => void

/** An entry of the setting `listen`, and the places where it listens: several, if systemd passed several sockets. */
export interface Endpoint {
  readonly at: ListenAddress.ListenAddress
  readonly bound: ReadonlyArray<Bound>
}

export interface Listeners {
  /**
   * Opens the listeners that are new, and closes those that are no longer in the settings.
   * Before a connection is accepted, `handlerFor` gives the handler of each listener, and
   * `onChange` is called. After a failure before that, the listeners stay as they were.
   */
  readonly reconcile: <E>(
    settings: ListenSettings["Service"],
    handlerFor: (door: Endpoint) => Effect.Effect<Serve, E>,
    onChange: (doors: ReadonlyArray<Endpoint>) => void
  ) => Effect.Effect<void, ListenFailed | E>
}

/** Fails for a place that is there twice. The system may choose one port after the other. */
export const check = (listen: ListenSettings["Service"]["listen"]): Effect.Effect<void, BadSetting> => {
  const places = new Set<string>()
  const index = listen.map(ListenAddress.endpointOf).findIndex((door) => {
    const place = ListenAddress.placeOf(door)
    const isChosen = place._tag === "HostPort" && place.port === 0
    return !isChosen && places.size === places.add(ListenAddress.format(place)).size
  })
  if (index === -1) return Effect.void
  const value = `"${printable(ListenAddress.format(listen[index]!))}"`
  const expected = "the only listener at its place"
  return Effect.fail(new BadSetting({ setting: "--listen", value, expected, path: [index] }))
}

/** No listeners yet. They close with the scope. */
export const make = Effect.fnUntraced(function* (
  onShortage: () => void
): Effect.fn.Return<Listeners, never, Scope.Scope> {
  const parent = yield* Effect.scope
  // Also for the listeners of later reloads.
  const sockets = yield* ListenBackend
  let open: ReadonlyArray<Open> = []
  return {
    reconcile: Effect.fnUntraced(function* (settings, handlerFor, onChange) {
      const kept = new Map(open.map((door) => [door.key, door]))
      const fresh = Scope.forkUnsafe(parent)
      const next = yield* Effect.gen(function* () {
        const doors = yield* Effect.forEach(keyed(settings.listen), ({ key, at }) => {
          const door = kept.get(key)
          return door
            ? Effect.succeed({ ...door, at })
            : Effect.provideService(
                listen(key, at, { unixMode: settings.unixMode, onShortage }, fresh),
                ListenBackend,
                sockets
              )
        })
        const serves = yield* Effect.forEach(doors, handlerFor)
        return doors.map((door, index) => ({ door, serve: serves[index]! }))
      }).pipe(Effect.onError((cause) => Scope.close(fresh, Exit.failCause(cause))))

      const gone = open.filter(({ key }) => !next.some(({ door }) => door.key === key))
      open = next.map(({ door }) => door)
      onChange(open)
      for (const { door, serve } of next) {
        const place = ListenAddress.placeOf(ListenAddress.endpointOf(door.at))
        if (place._tag === "UnixPathAddress") UnixSocket.setMode(place.path, settings.unixMode)
        door.acceptQueue.open(serve)
      }
      yield* Effect.forEach(gone, ({ scope }) => Scope.close(scope, Exit.void), { discard: true })
    }, Effect.uninterruptible)
  }
})

interface Open extends Endpoint {
  readonly key: string
  readonly scope: Scope.Closeable
  readonly acceptQueue: AcceptQueue
}

/** Entries of the same place are told apart by their order. */
const keyed = (listen: ListenSettings["Service"]["listen"]) => {
  const counts = new Map<string, number>()
  return listen.map((at) => {
    const place = ListenAddress.format(ListenAddress.placeOf(ListenAddress.endpointOf(at)))
    const count = (counts.get(place) ?? 0) + 1
    counts.set(place, count)
    return { key: `${place} ${count}`, at }
  })
}

const listen = Effect.fnUntraced(function* (
  key: string,
  at: ListenAddress.ListenAddress,
  options: Pick<Listener.Options, "unixMode" | "onShortage">,
  parent: Scope.Scope
): Effect.fn.Return<Open, ListenFailed> {
  const scope = Scope.forkUnsafe(parent)
  const acceptQueue = makeAcceptQueue()
  const place = ListenAddress.placeOf(ListenAddress.endpointOf(at))
  const bound = yield* Listener.listen(place, { ...options, onConnection: acceptQueue.enter }).pipe(
    Scope.provide(scope)
  )
  return { key, at, bound, scope, acceptQueue }
})

interface AcceptQueue {
  readonly enter: Serve
  /** Serves the connections that wait, and then those that come, by this handler. */
  readonly open: (serve: Serve) => void
}

/** Holds the connections that come in before their handler is known. */
const makeAcceptQueue = (): AcceptQueue => {
  const waiting: Array<Parameters<Serve>> = []
  let current: Serve = (...connection) => void waiting.push(connection)
  return {
    enter: (transport, peer) => current(transport, peer),
    open: (serve) => {
      current = serve
      for (const connection of waiting.splice(0)) serve(...connection)
    }
  }
}
