/**
 * How listening sockets are made. Processes that share sockets make them in another
 * way than a process alone.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Event } from "../base/Abortable.ts"
import * as Systemd from "./Systemd.ts"
import * as UnixSocket from "./UnixSocket.ts"

export interface ListenBackend {
  /** Each process listens on a socket of its own for the same port, and the kernel shares out what comes in. */
  readonly reusePort: boolean
  /** Makes way for a socket in the file system. Fails with the system's code. */
  readonly clear: (path: string) => Effect.Effect<void, string>
  /** Runs a synchronous `bind`, whose file gets these permissions. */
  readonly withMode: <A>(mode: number, bind: () => A) => A
  /** The sockets of this name that systemd passed; without a name, all of them. */
  readonly passed: (name: string | undefined) => ReadonlyArray<Systemd.Passed>
  /** Comes when the process that passes sockets to others is gone: a socket that was asked for will not come. */
  readonly lost: Event
}

/** The default is that of a process alone. */
export const ListenBackend = Context.Reference<ListenBackend>("effect-socks/server/ListenBackend", {
  defaultValue: () => ({
    reusePort: false,
    clear: UnixSocket.clear,
    withMode: UnixSocket.withMode,
    passed: Systemd.passed,
    lost: () => () => {}
  })
})
