/**
 * Bans that outlive the process: in a file, which follows them, and which they
 * follow when an operator changes it. To delete a line lifts a ban.
 */
import { readFile } from "node:fs/promises"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import * as AtomicFile from "../base/AtomicFile.ts"
import * as FileLock from "../base/FileLock.ts"
import * as FileStamp from "../base/FileStamp.ts"
import { BadSetting } from "../Errors.ts"
import { printable } from "../wire/Text.ts"
import * as BanLines from "./BanLines.ts"
import { type Ban, Bans } from "./Bans.ts"
import { BanSettings } from "./Settings.ts"

/** Between two looks at the file and at the bans. */
const interval = "2 seconds"

/** Keeps the file of the configuration and the bans alike, if there is one, and for the last time when it is released. */
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

/** Whether the file of the configuration can be kept, if there is one. Nothing is written, as a server may be running. */
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
  /** Follows what changed in the file, or else writes what changed since it was written. */
  readonly look: Effect.Effect<void>
  /** Does both. */
  readonly finish: Effect.Effect<void>
}

/** The bans of this file, in force from now on. A file that cannot be read fails; one that is not there is empty. */
export const make = Effect.fnUntraced(function* (path: string): Effect.fn.Return<BansFile, BadSetting, Bans> {
  const bans = yield* Bans
  const file = printable(path)
  const followed = FileStamp.follow(path, FileStamp.gone)
  /** The networks in the file as it was last seen. */
  let held: ReadonlySet<string> = new Set()
  let saved = Number.NaN
  /** When it was looked at last, by a clock that may be wrong. */
  let lookedAt = Number.NEGATIVE_INFINITY
  /** With a line in it that is no ban, it is left as it is. */
  let isSound = true

  const read = Effect.gen(function* () {
    const now = yield* FileStamp.read(path)
    const text = now === FileStamp.gone ? "" : yield* attempt(() => readFile(path, "utf8"))
    const written = BanLines.parse(text)
    isSound = written.wrong.length === 0
    if (!isSound) {
      const lines = written.wrong.slice(0, 10)
      yield* Effect.logWarning("not every line of the bans file is a ban; it is left as it is", {
        file,
        lines
      })
    }
    const there = new Map(written.bans.map((ban) => [keyOf(ban), ban]))
    const isGone = (ban: Ban) => isSound && held.has(keyOf(ban)) && !there.has(keyOf(ban))
    for (const ban of (yield* bans.list).filter(isGone)) {
      yield* bans.lift(ban.network)
      yield* Effect.logInfo("ban lifted", { network: keyOf(ban), file })
    }
    // After that, as a wide one takes those within it along.
    const current = new Map((yield* bans.list).map((ban) => [keyOf(ban), ban]))
    for (const ban of there.values()) {
      if (current.get(keyOf(ban))?.until !== ban.until) yield* bans.restore(ban)
    }
    held = new Set(there.keys())
    followed.accept(now)
  })

  const save = Effect.gen(function* () {
    const revision = yield* bans.revision
    if (!isSound || revision === saved) return
    const list = yield* bans.list
    const stats = yield* attempt(() => AtomicFile.replace(path, BanLines.format(list)))
    held = new Set(list.map(keyOf))
    followed.accept(FileStamp.stampOf(stats))
    saved = revision
  })

  const look = Effect.gen(function* () {
    const time = yield* Clock.currentTimeMillis
    // Bans that were over by the time of before hold again, and may not be in the file.
    if (time < lookedAt) saved = Number.NaN
    lookedAt = time
    const { state } = yield* followed.look
    if (state === "same") return yield* save
    if (state === "changing") return
    if (state === "changed") return yield* read
    // To lift them all is to empty it. It is written anew.
    saved = Number.NaN
    yield* save
  })

  const finish = Effect.gen(function* () {
    const { state, stamp } = yield* followed.look
    if (state !== "same" && stamp !== FileStamp.gone) yield* read
    yield* save
  })

  // Written at once, so that what cannot be kept is known now.
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

/** Fails with the system's code. */
const attempt = <A>(use: () => Promise<A>): Effect.Effect<A, string> =>
  Effect.tryPromise({ try: use, catch: (error) => (error as NodeJS.ErrnoException).code ?? String(error) })
