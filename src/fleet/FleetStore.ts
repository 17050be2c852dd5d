/**
 * The store that the machines of a fleet share. It runs scripts, each as a whole, and passes on messages.
 *
 * A machine works without it for a while: a call fails at once while there is no connection, and the store connects
 * again by itself.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { FleetStoreFailed } from "../Errors.ts"
import type { Script } from "./Script.ts"

/** Gets the reply of a script, or why there is none. */
export type Answer<in Reply> = (reply: Reply | FleetStoreFailed) => void

export class FleetStore extends Context.Service<
  FleetStore,
  {
    /** The address of the store, without a password. */
    readonly name: string
    /** Whether calls can succeed now. */
    readonly isConnected: () => boolean
    /**
     * Runs a script. The calls of one turn of the event loop are sent together, and run in this order. `answer` is
     * called later, once; without a reply for a second, with a failure.
     */
    readonly call: <Reply>(
      script: Script<Reply>,
      keys: ReadonlyArray<string>,
      args: ReadonlyArray<string | number>,
      answer: Answer<Reply>
    ) => void
    /** Sends a message to all that have subscribed to the channel. It may be lost. */
    readonly publish: (channel: string, message: string) => void
    /** Calls `receive` with each message of a channel until the scope closes, over all connections. */
    readonly subscribe: (
      channel: string,
      receive: (message: string) => void
    ) => Effect.Effect<void, FleetStoreFailed, Scope.Scope>
    /**
     * Calls this with the run of the store's server on each new connection, before other calls can succeed: what the
     * script `Begin` takes. Until the scope closes.
     */
    readonly onConnect: (connected: (run: string) => void) => Effect.Effect<void, never, Scope.Scope>
  }
>()("effect-socks/fleet/FleetStore") {}

/** Runs a script, as an effect. */
export const run = <Reply>(
  { call }: Pick<FleetStore["Service"], "call">,
  script: Script<Reply>,
  keys: ReadonlyArray<string>,
  args: ReadonlyArray<string | number>
): Effect.Effect<Reply, FleetStoreFailed> =>
  Effect.callback((resume) =>
    call(script, keys, args, (reply) => resume(hasFailed(reply) ? Effect.fail(reply) : Effect.succeed(reply)))
  )

export const hasFailed = (reply: unknown): reply is FleetStoreFailed => reply instanceof FleetStoreFailed
