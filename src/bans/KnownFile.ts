/**
 * The file of known (user, network) pairs, which keeps them over restarts: beside
 * the file of bans, or else in the state directory. Users are in it as keyed
 * hashes of their names, with the key. Nothing of passwords is in it.
 */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as StateFile from "../base/StateFile.ts"
import { Bans } from "./Bans.ts"
import { BanSettings } from "./Settings.ts"

const interval = "10 seconds"

const Kept = Schema.Struct({
  version: Schema.Literal(1),
  key: Schema.String,
  known: Schema.Array(Schema.Struct({ account: Schema.String, network: Schema.String, at: Schema.Finite }))
})

/** Restores the pairs of the file, if the settings name one, and writes changes, for the last time at the release. */
export const layer: Layer.Layer<never, never, Bans | BanSettings> = Layer.effectDiscard(
  Effect.gen(function* () {
    const path = fileOf(yield* BanSettings)
    if (path === undefined) return
    const { save } = yield* make(path)
    yield* Effect.addFinalizer(() => save)
    yield* Effect.forkScoped(Effect.forever(Effect.delay(save, interval)))
  })
)

export const fileOf = ({ bansFile, stateDir }: BanSettings["Service"]): string | undefined => {
  if (bansFile !== undefined) return `${bansFile}.known`
  return stateDir === undefined ? undefined : join(stateDir, "known.json")
}

/** Restores the pairs of this file. A file that cannot be read is reported, and no pair is known then. */
export const make = Effect.fnUntraced(function* (
  path: string
): Effect.fn.Return<{ readonly save: Effect.Effect<void> }, never, Bans> {
  const bans = yield* Bans
  const kept = yield* Effect.catch(StateFile.read(path, Kept), (error) =>
    Effect.as(
      Effect.logWarning("the users who are known cannot be read, and are forgotten", {
        error: error.message
      }),
      Option.none()
    )
  )
  if (Option.isSome(kept)) yield* bans.restoreKnownPairs(kept.value)
  let saved = yield* bans.knownPairsRevision
  let isTold = false
  const save = Effect.gen(function* () {
    const revision = yield* bans.knownPairsRevision
    if (revision === saved) return
    // Old pairs too, as far as there is room: the clock by which they are old may be wrong.
    yield* StateFile.write(path, Kept, { version: 1, ...(yield* bans.knownPairs) })
    saved = revision
    isTold = false
  })
  return {
    save: Effect.catch(save, (error) => {
      const isNews = !isTold
      isTold = true
      return isNews
        ? Effect.logError("the users who are known cannot be kept", { error: error.message })
        : Effect.void
    })
  }
})
