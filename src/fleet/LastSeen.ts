/**
 * What a machine has seen of its fleet last, in a file of its state directory. By that it can begin while the store is
 * away: it knows into how many parts limits are to be divided, and hashes names as the others do.
 */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as StateFile from "../base/StateFile.ts"

const Seen = Schema.Struct({
  version: Schema.Literal(1),
  /** The prefix of the fleet. */
  fleet: Schema.String,
  /** Number of machines. */
  machines: Schema.Int,
  /** The salt of the hashes. */
  salt: Schema.String
})
export type Seen = typeof Seen.Type

export interface LastSeen {
  /** What an earlier run has seen; undefined for a machine that is new in the fleet, or keeps no state. */
  readonly seen: Seen | undefined
  /** Keeps this, where it is new. */
  readonly keep: (now: Pick<Seen, "machines" | "salt">) => Effect.Effect<void>
}

/** Keeps nothing. */
export const none: LastSeen = { seen: undefined, keep: () => Effect.void }

export const open = Effect.fnUntraced(function* (
  stateDir: string | undefined,
  fleet: string
): Effect.fn.Return<LastSeen> {
  if (stateDir === undefined) return none
  const path = join(stateDir, "fleet.json")
  const found = Option.getOrUndefined(
    yield* Effect.orElseSucceed(StateFile.read(path, Seen), () => Option.none<Seen>())
  )
  const seen = found?.fleet === fleet ? found : undefined
  let kept = seen
  return {
    seen,
    keep: ({ machines, salt }) =>
      Effect.suspend(() => {
        if (kept?.machines === machines && kept.salt === salt) return Effect.void
        kept = { version: 1, fleet, machines, salt }
        return Effect.catch(StateFile.write(path, Seen, kept), ({ message }) =>
          Effect.logError("what this machine sees of its fleet cannot be kept", { error: message })
        )
      })
  }
})
