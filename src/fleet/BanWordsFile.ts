/**
 * The last words on networks in a file of the state directory. So a machine knows also after a restart when a ban was made
 * or lifted, where the store has forgotten it. Their ages are those of the machine's clock.
 */
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as AtomicFile from "../base/AtomicFile.ts"
import * as StateFile from "../base/StateFile.ts"
import type { Words } from "./BanWords.ts"
import { memory, tolerance } from "./scripts/ExchangeBans.ts"

export interface BanWordsFile {
  /** The words of an earlier run. */
  readonly left: Words
  /** Keeps these in their place. Returns whether it could: if not, the log says so. */
  readonly save: (words: Words) => Effect.Effect<boolean>
}

/** Keeps nothing: for a machine without a state directory. */
export const none: BanWordsFile = { left: [], save: () => Effect.succeed(true) }

const Kept = Schema.Struct({
  version: Schema.Literal(1),
  /** The channel of the fleet. */
  fleet: Schema.String,
  savedAt: Schema.Finite,
  words: Schema.Array(
    Schema.Tuple([Schema.String, Schema.Struct({ isBan: Schema.Boolean, at: Schema.Finite })])
  )
})

export const open = Effect.fnUntraced(function* (
  stateDir: string,
  fleet: string
): Effect.fn.Return<BanWordsFile> {
  const path = join(stateDir, "fleet-bans.json")
  const kept = yield* Effect.catch(StateFile.read(path, Kept), (error) =>
    Effect.as(
      Effect.logWarning("when bans were made and lifted cannot be read, and is forgotten", {
        error: error.message
      }),
      Option.none()
    )
  )
  const now = yield* Clock.currentTimeMillis
  // By a clock that was set back, words would be newer than they are.
  const isSound = (found: typeof Kept.Type) => found.fleet === fleet && found.savedAt < now + tolerance
  const left = Option.match(Option.filter(kept, isSound), {
    onNone: () => [],
    onSome: ({ words }) => words.filter(([, { at }]) => now - at < memory)
  })
  let isTold = false
  return {
    left,
    save: (words) =>
      Effect.gen(function* () {
        const savedAt = yield* Clock.currentTimeMillis
        const now: typeof Kept.Type = { version: 1, fleet, savedAt, words }
        // Without the schema, as there may be very many.
        yield* Effect.tryPromise(() => AtomicFile.replace(path, JSON.stringify(now)))
        isTold = false
        return true
      }).pipe(
        Effect.uninterruptible,
        Effect.catch(({ cause }) => {
          const isNews = !isTold
          isTold = true
          const reason = StateFile.reasonOf(cause as NodeJS.ErrnoException)
          const log = Effect.logError("when bans were made and lifted cannot be kept", { file: path, reason })
          return Effect.as(isNews ? log : Effect.void, false)
        })
      )
  }
})
