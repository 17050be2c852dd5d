/**
 * How listening sockets are made. Workers share sockets, so they make sockets in another way than a server alone.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Event } from "../base/Abortable.ts"
import * as Systemd from "./Systemd.ts"
import * as UnixSocket from "./UnixSocket.ts"

export interface ListenBackend {
  /** Whether each worker has a socket of its own for the same port, among which the kernel divides the connections. */
  readonly reusePort: boolean
  /** Removes a stale socket file, so that the path can be bound. Fails with the system's error code. */
  readonly clear: (path: string) => Effect.Effect<void, string>
  /** Runs a synchronous `bind`, whose socket file gets these permissions. */
  readonly withMode: <A>(mode: number, bind: () => A) => A
  /** The sockets of this name that systemd passed; without a name, all of them. */
  readonly passed: (name: string | undefined) => ReadonlyArray<Systemd.Passed>
  /** Happens when the process that passes sockets to workers is gone: a requested socket will not come. */
  readonly lost: Event
}

/** The default is for a server alone. */
export const ListenBackend = Context.Reference<ListenBackend>("effect-socks/server/ListenBackend", {
  defaultValue: () => ({
    reusePort: false,
    clear: UnixSocket.clear,
    withMode: UnixSocket.withMode,
    passed: Systemd.passed,
    lost: () => () => {}
  })
})
