/**
 * The file of bans, which keeps them over restarts. A change of the bans is written
 * to the file, and a change of the file by an operator is applied to the bans: a
 * deleted line lifts a ban.
 */
import { readFile } from "node:fs/promises"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import * as AtomicFile from "../base/AtomicFile.ts"
import * as FileLock from "../base/FileLock.ts"
import * as FileStamp from "../base/FileStamp.ts"
import * as Slices from "../base/Slices.ts"
import { BadSetting } from "../Errors.ts"
import { printable } from "../wire/Text.ts"
import * as BanLines from "./BanLines.ts"
import { type Ban, Bans } from "./Bans.ts"
import { BanSettings } from "./Settings.ts"

/** Time between two looks at the file and at the bans. */
const interval = "2 seconds"

/** Keeps the file of the setting `bansFile`, if it is set, and the bans the same, for the last time at the release. */
export const layer: Layer.Layer<never, BadSetting, Bans | BanSettings> = Layer.effectDiscard(
  Effect.gen(function* () {
    const { bansFile } = yield* BanSettings
    if (bansFile === undefined) return
    yield* Effect.mapError(FileLock.hold(`${bansFile}.lock`), (problem) =>
      problem._tag === "Failed" ? unkept(bansFile)(problem.code) : shared(bansFile, problem.by)
    )
    const { look, finish } = yield* make(bansFile)
    yield* Effect.addFinalizer(() => finish)
    yield* Effect.forkScoped(Effect.forever(Effect.delay(look, interval)))
  })
)

/** Fails if the file of the setting `bansFile` is set and cannot be read or written. Writes nothing, as a server may be running. */
export const check: Effect.Effect<void, BadSetting, BanSettings> = Effect.gen(function* () {
  const { bansFile } = yield* BanSettings
  if (bansFile === undefined) return
  const attempts = Effect.gen(function* () {
    yield* attempt(() => AtomicFile.canReplace(bansFile))
    if ((yield* FileStamp.read(bansFile)) !== FileStamp.gone) yield* attempt(() => readFile(bansFile))
  })
  yield* Effect.mapError(attempts, unkept(bansFile))
})

export interface BansFile {
  /** Applies a change of the file to the bans, or else writes a change of the bans to the file. */
  readonly look: Effect.Effect<void>
  /** Applies a change of the file, and then writes a change of the bans. */
  readonly finish: Effect.Effect<void>
}

/** Applies the bans of this file from now on. Fails if the file cannot be read; a missing file is an empty one. */
export const make = Effect.fnUntraced(function* (path: string): Effect.fn.Return<BansFile, BadSetting, Bans> {
  const bans = yield* Bans
  const file = printable(path)
  const followed = FileStamp.follow(path, FileStamp.gone)
  /** The networks in the file at the last look. */
  let held: ReadonlySet<string> = new Set()
  let saved = Number.NaN
  /** The time of the last look, by a clock that may be wrong. */
  let lookedAt = Number.NEGATIVE_INFINITY
  /** Whether every line is a valid ban. A file with an invalid line is not overwritten. */
  let isSound = true

  const read = Effect.gen(function* () {
    const now = yield* FileStamp.read(path)
    const text = now === FileStamp.gone ? "" : yield* attempt(() => readFile(path, "utf8"))
    const written = yield* Slices.run(BanLines.parse(text))
    isSound = written.wrong.length === 0
    if (!isSound) {
      const lines = written.wrong.slice(0, 10)
      yield* Effect.logWarning("not every line of the bans file is a ban; it is left as it is", {
        file,
        lines
      })
    }
    const there = yield* byNetwork(written.bans)
    const isGone = (ban: Ban) => isSound && held.has(keyOf(ban)) && !there.has(keyOf(ban))
    for (const ban of yield* Slices.run(Slices.filter(yield* bans.list, isGone))) {
      yield* bans.lift(ban.network)
      yield* Effect.logInfo("ban lifted", { network: keyOf(ban), file })
    }
    // After the bans are lifted, as lifting a wide network lifts those within it.
    const current = yield* byNetwork(yield* bans.list)
    const others = Slices.filter([...there], ([key, ban]) => current.get(key)?.until !== ban.until)
    for (const [, ban] of yield* Slices.run(others)) yield* bans.restore(ban)
    held = new Set(there.keys())
    followed.accept(now)
  })

  const save = Effect.gen(function* () {
    const revision = yield* bans.revision
    if (!isSound || revision === saved) return
    const list = yield* bans.list
    const text = yield* Slices.run(BanLines.format(list))
    const stats = yield* attempt(() => AtomicFile.replace(path, text))
    held = new Set(yield* Slices.run(Slices.map(list, keyOf)))
    followed.accept(FileStamp.stampOf(stats))
    saved = revision
  })

  const look = Effect.gen(function* () {
    const time = yield* Clock.currentTimeMillis
    // The clock was set back: bans that had ended hold again, and may be missing from the file.
    if (time < lookedAt) saved = Number.NaN
    lookedAt = time
    const { state } = yield* followed.look
    if (state === "same") return yield* save
    if (state === "changing") return
    if (state === "changed") return yield* read
    // An operator lifts all bans by an empty file. A missing file is written again.
    saved = Number.NaN
    yield* save
  })

  const finish = Effect.gen(function* () {
    const { state, stamp } = yield* followed.look
    if (state !== "same" && stamp !== FileStamp.gone) yield* read
    yield* save
  })

  // Written at the start, so that a file that cannot be written is an error now.
  yield* Effect.mapError(Effect.andThen(read, save), unkept(path))
  let isTold = false
  const loudlyOnce = (effect: Effect.Effect<void, string>) =>
    Effect.matchEffect(effect, {
      onSuccess: () =>
        Effect.sync(() => {
          isTold = false
        }),
      onFailure: (code) => {
        const isNews = !isTold
        isTold = true
        return isNews ? Effect.logError("the bans file cannot be kept", { file, code }) : Effect.void
      }
    })
  return { look: loudlyOnce(look), finish: loudlyOnce(finish) }
})

const unkept = (path: string) => (code: string) =>
  new BadSetting({
    setting: "--bans-file",
    value: `"${printable(path)}"`,
    expected: `a file that can be read and written (${code})`
  })

const shared = (path: string, by: string) =>
  new BadSetting({
    setting: "--bans-file",
    value: `"${printable(path)}"`,
    expected: `a file of this server alone: ${by} keeps its bans there`
  })

const keyOf = ({ network }: Ban): string => IpNetwork.format(network)

const byNetwork = (bans: ReadonlyArray<Ban>): Effect.Effect<ReadonlyMap<string, Ban>> =>
  Effect.map(Slices.run(Slices.map(bans, (ban) => [keyOf(ban), ban] as const)), (entries) => new Map(entries))

/** Fails with the system's code. */
const attempt = <A>(use: () => Promise<A>): Effect.Effect<A, string> =>
  Effect.tryPromise({ try: use, catch: (error) => (error as NodeJS.ErrnoException).code ?? String(error) })
