/**
 * The users of the settings and of the users file, which is read again when it changes.
 *
 * With an unusable users file the server does not start. When the file becomes unusable later, the earlier users stay.
 * When most users are missing from a changed file, the file may be half written: the missing users stay until the file
 * has not changed for a while.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as FileStamp from "../base/FileStamp.ts"
import * as Slices from "../base/Slices.ts"
import { BadSetting } from "../Errors.ts"
import { printable } from "../wire/Text.ts"
import { AuthSettings } from "./Settings.ts"
import type { User } from "./User.ts"
import { type Directory, makeDirectory, Users } from "./Users.ts"
import { UsersCheck } from "./UsersCheck.ts"
import * as UsersFile from "./UsersFile.ts"
import * as UsersFileReader from "./UsersFileReader.ts"
import { UsersRefresh } from "./UsersRefresh.ts"

/** The time between two checks of the file. */
const interval = "2 seconds"

/** The time without a change after which missing users are removed. */
const quietTime = Duration.seconds(30)

export const layer: Layer.Layer<Users, BadSetting, AuthSettings | UsersCheck> = Layer.effect(
  Users,
  Effect.gen(function* () {
    const settings = yield* AuthSettings
    const { usersFile } = settings
    const check = yield* UsersCheck
    const own = settings.user.length + settings.users.length
    const refresh = yield* UsersRefresh
    const memo = refresh?.memo ?? UsersFile.makeMemo()
    const load = Effect.flatMap(everyone(settings, memo), (users) => Slices.run(makeDirectory(users)))
    if (usersFile === undefined) return { current: Effect.succeed(yield* load) }
    const file = printable(usersFile)
    const initially = yield* FileStamp.read(usersFile)
    const followed = FileStamp.follow(usersFile, initially)
    const current = yield* SubscriptionRef.make(yield* load)
    /** Milliseconds since the epoch when the file last changed, while the users missing from it are kept. */
    let doubtedSince: number | undefined
    /** A look and a refresh are not at once, so that the later one ends with the later users. */
    const one = yield* Semaphore.make(1)

    /**
     * Puts changed users in force; if most users of the file are missing, together with the missing users, except those
     * that were revoked.
     */
    const take = Effect.fnUntraced(function* (next: Directory, revoked: ReadonlyArray<string> = []) {
      const now = yield* Clock.currentTimeMillis
      const { users: before } = yield* SubscriptionRef.get(current)
      yield* check(next.users)
      const gone = (yield* Slices.run(missing(before, next.users))).filter(
        ({ name }) => !revoked.includes(name)
      )
      const came = (yield* Slices.run(missing(next.users, before))).length
      const isDoubtful =
        gone.length > 0 && (doubtedSince !== undefined || gone.length > (before.length - own) / 2)
      if (isDoubtful) {
        doubtedSince = now
        yield* SubscriptionRef.set(current, yield* Slices.run(makeDirectory([...next.users, ...gone])))
        yield* Effect.logError(
          "most users are missing from the users file, which may be incomplete: they stay until the file has not " +
            "changed for a while, or until a reload",
          { file, gone: gone.length, came, seconds: Duration.toSeconds(quietTime) }
        )
      } else {
        doubtedSince = undefined
        yield* SubscriptionRef.set(current, next)
        yield* Effect.logInfo("the users file was read again", { file, gone: gone.length, came })
      }
    })

    /** Removes the missing users once the file has not changed for the settling time. */
    const removeMissing = Effect.gen(function* () {
      if (doubtedSince === undefined) return
      if ((yield* Clock.currentTimeMillis) - doubtedSince < Duration.toMillis(quietTime)) return
      doubtedSince = undefined
      const next = yield* load
      const { users: before } = yield* SubscriptionRef.get(current)
      yield* check(next.users)
      yield* SubscriptionRef.set(current, next)
      const gone = (yield* Slices.run(missing(before, next.users))).length
      yield* Effect.logWarning("the users file has settled: users missing from it are removed", {
        file,
        gone
      })
    })

    const look = Effect.gen(function* () {
      const { state, stamp } = yield* followed.look
      if (state === "same") return yield* removeMissing
      if (state === "changing") return
      followed.accept(stamp)
      yield* take(yield* load)
    }).pipe(
      Effect.catch(({ message }) =>
        Effect.logError("the users file cannot be used: its earlier users stay", { error: message })
      ),
      one.withPermits(1)
    )
    yield* Effect.forkScoped(Effect.forever(Effect.delay(look, interval)))
    yield* refresh?.register((revoked) =>
      Effect.gen(function* () {
        const stamp = yield* FileStamp.read(usersFile)
        yield* take(yield* load, revoked)
        followed.accept(stamp)
      }).pipe(one.withPermits(1))
    ) ?? Effect.void
    // Changed by a refresh that this source had not registered for yet.
    if (refresh && (yield* FileStamp.read(usersFile)) !== initially) {
      yield* SubscriptionRef.set(current, yield* load)
    }
    return { current: SubscriptionRef.get(current), changes: SubscriptionRef.changes(current) }
  })
)

/** The users of the settings, and of the users file as it is now. */
export const everyone = (
  { user, users, usersFile }: AuthSettings["Service"],
  memo?: UsersFile.Memo
): Effect.Effect<ReadonlyArray<User>, BadSetting> =>
  Effect.flatMap(
    usersFile === undefined ? Effect.succeed([]) : UsersFileReader.read(usersFile, memo),
    (others) => withoutDuplicates(user, users, others)
  )

/** The users of the first list whose names are not in the second. */
function* missing(ones: ReadonlyArray<User>, others: ReadonlyArray<User>): Slices.Work<ReadonlyArray<User>> {
  const names = new Set<string>()
  yield* Slices.each(others, ({ name }) => void names.add(name))
  return yield* Slices.filter(ones, ({ name }) => !names.has(name))
}

/**
 * The users of `--user`, of `users` in the config file, and of the users file, if no name is in them twice. The names in the
 * file are distinct.
 */
export const withoutDuplicates = Effect.fnUntraced(function* (
  flags: ReadonlyArray<User>,
  config: ReadonlyArray<User>,
  file: ReadonlyArray<User>
): Effect.fn.Return<ReadonlyArray<User>, BadSetting> {
  const own = [...flags, ...config]
  const names = new Set<string>()
  const bad = ({ name }: User, where: Pick<BadSetting, "setting" | "path">) =>
    new BadSetting({ value: `"${printable(name)}"`, expected: "the only user of its name", ...where })
  for (const [at, user] of own.entries()) {
    if (names.size !== names.add(user.name).size) continue
    const index = at - flags.length
    return yield* bad(user, index < 0 ? { setting: "--user" } : { setting: "users", path: [index] })
  }
  if (own.length === 0) return file
  const twice = yield* Slices.run(Slices.find(file, ({ name }) => names.has(name)))
  if (twice) return yield* bad(twice, { setting: "--users-file" })
  return [...own, ...file]
})
