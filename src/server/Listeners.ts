/**
 * The listeners of a server. A reload opens new listeners and closes old listeners; listeners in both settings are not
 * touched.
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

/** The handler of an endpoint: takes an accepted connection. */
export type Serve = (transport: Transport, peer: Peer) => void

/** An entry of the setting `listen`, and its bound addresses: several, if systemd passed several sockets. */
export interface Endpoint {
  readonly at: ListenAddress.ListenAddress
  readonly bound: ReadonlyArray<Bound>
}

export interface Listeners {
  /**
   * Opens the new listeners, and closes the listeners that are no longer in the settings. First makes all handlers with
   * `handlerFor`. On a failure up to then, nothing changes. Then calls `onChange`, and serves connections.
   */
  readonly reconcile: <E>(
    settings: ListenSettings["Service"],
    handlerFor: (endpoint: Endpoint) => Effect.Effect<Serve, E>,
    onChange: (endpoints: ReadonlyArray<Endpoint>) => void
  ) => Effect.Effect<void, ListenFailed | E>
}

/** Fails if two listeners have the same place. Port 0 may occur several times, as the system chooses the ports. */
export const check = (listen: ListenSettings["Service"]["listen"]): Effect.Effect<void, BadSetting> => {
  const places = new Set<string>()
  const index = listen.map(ListenAddress.endpointOf).findIndex((endpoint) => {
    const place = ListenAddress.placeOf(endpoint)
    const isChosen = place._tag === "HostPort" && place.port === 0
    return !isChosen && places.size === places.add(ListenAddress.format(place)).size
  })
  if (index === -1) return Effect.void
  const value = `"${printable(ListenAddress.format(listen[index]!))}"`
  const expected = "the only listener at its place"
  return Effect.fail(new BadSetting({ setting: "--listen", value, expected, path: [index] }))
}

/** Begins without listeners. Listeners close with the scope. `onShortage` is called when descriptors are lacking. */
export const make = Effect.fnUntraced(function* (
  onShortage: () => void
): Effect.fn.Return<Listeners, never, Scope.Scope> {
  const parent = yield* Effect.scope
  // Taken once, because later reloads need the backend, too.
  const sockets = yield* ListenBackend
  let open: ReadonlyArray<Open> = []
  return {
    reconcile: Effect.fnUntraced(function* (settings, handlerFor, onChange) {
      const kept = new Map(open.map((endpoint) => [endpoint.key, endpoint]))
      const fresh = Scope.forkUnsafe(parent)
      const next = yield* Effect.gen(function* () {
        const endpoints = yield* Effect.forEach(keyed(settings.listen), ({ key, at }) => {
          const endpoint = kept.get(key)
          return endpoint
            ? Effect.succeed({ ...endpoint, at })
            : Effect.provideService(
                listen(key, at, { unixMode: settings.unixMode, onShortage }, fresh),
                ListenBackend,
                sockets
              )
        })
        const serves = yield* Effect.forEach(endpoints, handlerFor)
        return endpoints.map((endpoint, index) => ({ endpoint, serve: serves[index]! }))
      }).pipe(Effect.onError((cause) => Scope.close(fresh, Exit.failCause(cause))))

      const gone = open.filter(({ key }) => !next.some(({ endpoint }) => endpoint.key === key))
      open = next.map(({ endpoint }) => endpoint)
      onChange(open)
      for (const { endpoint, serve } of next) {
        const place = ListenAddress.placeOf(ListenAddress.endpointOf(endpoint.at))
        if (place._tag === "UnixPathAddress") UnixSocket.setMode(place.path, settings.unixMode)
        endpoint.acceptQueue.open(serve)
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

/** The key of each entry: its place, and a number that distinguishes entries of the same place. */
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
  /** Gives the waiting connections, and all later connections, to this handler. */
  readonly open: (serve: Serve) => void
}

/** A queue of connections that are accepted before their handler is set. */
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
