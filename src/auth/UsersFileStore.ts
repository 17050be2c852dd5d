/**
 * The users of a users file as a store. A change replaces the file as a whole, so that no reader finds half of it, and
 * keeps what is written of other users, comments and permissions.
 *
 * The file may also be changed by hand. So a file that is being written is left alone, and what is written into it while
 * the store replaces it is taken over. Other programs with such a store, as servers that share the file, wait for its lock.
 */
import { constants } from "node:fs"
import { access, type FileHandle, open, realpath } from "node:fs/promises"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as AtomicFile from "../base/AtomicFile.ts"
import * as FileLock from "../base/FileLock.ts"
import * as FileStamp from "../base/FileStamp.ts"
import * as FileWatcher from "../base/FileWatcher.ts"
import * as Slices from "../base/Slices.ts"
import * as StateFile from "../base/StateFile.ts"
import { BadSetting, type BadSettings, StateFailed } from "../Errors.ts"
import { printable } from "../wire/Text.ts"
import * as Hashing from "./Hashing.ts"
import * as PasswordHash from "./PasswordHash.ts"
import type { StoredUsers, UserStoreError } from "./StoredUsers.ts"
import { isField, type User } from "./User.ts"
import * as UserName from "./UserName.ts"
import * as UsersFile from "./UsersFile.ts"
import * as UsersFileEdit from "./UsersFileEdit.ts"
import * as UsersFileReader from "./UsersFileReader.ts"

/** The users of a file, and the text and the state of the file that they were read from. */
interface Known {
  readonly stamp: string
  readonly text: string
  readonly users: ReadonlyArray<User>
}

/** The time without a change after which a file is not being written. */
const quietTime = "50 millis"

/** Milliseconds for which most users may be missing from a file that is being written. */
const doubtTime = 30_000

/** The store in this file. `check` fails if the server could not use these users of the file. */
export const make = (
  path: string,
  check: (users: ReadonlyArray<User>) => Effect.Effect<void, BadSetting | BadSettings>,
  memo = UsersFile.makeMemo()
): StoredUsers => {
  const one = Semaphore.makeUnsafe(1)
  /** The users of the file, and whether this store has put them there. */
  let known: (Omit<Known, "text"> & { readonly isOwn: boolean }) | undefined
  /** Their number when the store last wrote the file. */
  let count = 0
  /** The changes of this store. */
  const own = Effect.runSync(PubSub.sliding<void>(1))

  const list = Effect.gen(function* () {
    const stamp = yield* FileStamp.read(path)
    if (known?.stamp === stamp) return known.users
    const users = yield* UsersFileReader.read(path, memo)
    known = { stamp, users, isOwn: false }
    return users
  })

  /** What a file has when nothing writes to it. */
  const settled = Effect.fnUntraced(
    function* (file: FileHandle): Effect.fn.Return<Known, UserStoreError> {
      const { stamp, mtimeMs } = yield* stateOf(path, file)
      const text = yield* textOf(path, file)
      const before = known?.stamp === stamp ? known : undefined
      if (!before?.isOwn) yield* Effect.sleep(quietTime)
      if ((yield* stateOf(path, file)).stamp !== stamp) return yield* Effect.fail(failed(path, changing))
      const users = before?.users ?? (yield* UsersFileReader.parse(path, text, memo))
      const age = (yield* Clock.currentTimeMillis) - mtimeMs
      if (users.length < count / 2 && age < doubtTime) {
        return yield* Effect.fail(failed(path, "most of its users are missing now, so it may be incomplete"))
      }
      return { stamp, text, users }
    },
    Effect.retry({ schedule: Schedule.recurs(20), while: isChanging })
  )

  /** Makes the edit that `editOf` finds for the users of the file. Returns whether it finds one. */
  const edit = (
    editOf: (users: ReadonlyArray<User>) => UsersFileEdit.Edit | undefined
  ): Effect.Effect<boolean, UserStoreError> =>
    Effect.gen(function* () {
      const target = yield* io(path, () => realpath(path))
      yield* lock(path, `${target}.lock`)
      let file = yield* opened(path, target)
      /** The file that this edit has put in the place of `file`, into which another program has written since. */
      let placed: string | undefined
      while (true) {
        const before = yield* settled(file)
        const edit = editOf(before.users)
        if (edit === undefined && placed === undefined) return false
        const next = edit ? yield* edited(path, before, edit, memo) : before
        yield* check(next.users)
        if ((yield* FileStamp.read(target)) !== (placed ?? before.stamp)) {
          // Another file has taken its place.
          file = yield* opened(path, target)
          placed = undefined
          continue
        }
        const { content } = yield* stateOf(path, file)
        const stats = yield* io(path, async () =>
          AtomicFile.replace(target, next.text, await file.stat({ bigint: true }))
        )
        placed = FileStamp.stampOf(stats)
        known = { users: next.users, stamp: placed, isOwn: true }
        count = next.users.length
        if ((yield* stateOf(path, file)).content === content) break
      }
      yield* PubSub.publish(own, undefined)
      return true
    }).pipe(Effect.scoped, one.withPermits(1))

  const ofUser =
    (name: string, edit: (index: number) => UsersFileEdit.Edit) => (users: ReadonlyArray<User>) => {
      const index = users.findIndex((user) => user.name === name)
      return index === -1 ? undefined : edit(index)
    }

  return {
    list,
    add: (user) =>
      Effect.flatMap(storable(path, user), (user) =>
        edit((users) => (users.some(({ name }) => name === user.name) ? undefined : { _tag: "add", user }))
      ),
    change: (name, to) => edit(ofUser(name, (index) => ({ _tag: "change", index, to }))),
    remove: (name) => edit(ofUser(name, (index) => ({ _tag: "remove", index }))),
    // A file that cannot be used at present changes nothing.
    changes: Stream.unwrap(
      // A change that is made while the first list is taken is one of the file since then.
      Effect.map(Clock.currentTimeMillis, (since) =>
        Stream.concat(
          Stream.succeed(undefined),
          Stream.merge(Stream.fromPubSub(own), FileWatcher.changes([path], { since }))
        )
      )
    ).pipe(
      Stream.mapEffect(() => Effect.option(list)),
      Stream.flatMap((users) => Stream.fromIterable(Option.toArray(users))),
      Stream.changesWith((one, other) => one === other)
    )
  }
}

/** A new user as the file has it: with a hash of the password. Fails for what the file cannot have. */
const storable = Effect.fnUntraced(function* (
  path: string,
  { password, ...user }: User
): Effect.fn.Return<User, BadSetting> {
  const refused = (value: string, expected: string) =>
    new BadSetting({ setting: "a new user", value: printable(value), expected })
  const flaw = UserName.flawOf(user.name, [])
  if (flaw !== undefined) return yield* refused(`"${user.name}"`, `a name for one: it ${flaw}`)
  if (!UsersFileEdit.canHave(path, user)) {
    const expected = `possible in "${printable(path)}", whose lines have names and hashes only: a file that ends in .yaml or .json has all fields`
    return yield* refused(`"${user.name}" with groups, an end, networks or limits`, expected)
  }
  if (password === undefined) return user
  const text = Redacted.value(password)
  if (!isField(text)) return yield* refused("the password", "a text of 1 to 255 bytes")
  const hash = yield* Hashing.hash(new TextEncoder().encode(text), Hashing.usualCost)
  return { ...user, passwordHash: Redacted.make(hash) }
})

/** The store in the file of an app. Fails for a file that cannot be used. */
export const ofApp = Effect.fnUntraced(function* (path: string): Effect.fn.Return<StoredUsers, BadSetting> {
  const store = make(path, () => Effect.void)
  yield* Effect.mapError(
    UsersFileReader.read(path),
    (error) => new BadSetting({ ...error, setting: "UserStore.layerFile" })
  )
  return store
})

/** The text and the users after an edit. Fails if the text is written in a way that cannot be edited. */
const edited = Effect.fnUntraced(function* (
  path: string,
  before: Known,
  edit: UsersFileEdit.Edit,
  memo: UsersFile.Memo
): Effect.fn.Return<Pick<Known, "text" | "users" | "stamp">, UserStoreError> {
  const text = yield* Effect.promise(() => UsersFileEdit.apply(path, before.text, edit))
  if (text === undefined) return yield* Effect.fail(failed(path, unusual))
  const users = yield* Effect.mapError(UsersFileReader.parse(path, text, memo), () => failed(path, unusual))
  if (!(yield* Slices.run(isAsExpected(before.users, users, edit))))
    return yield* Effect.fail(failed(path, unusual))
  return { ...before, text, users }
})

/** Whether an edit has done what it is for, and nothing else to the users. */
function* isAsExpected(
  before: ReadonlyArray<User>,
  after: ReadonlyArray<User>,
  edit: UsersFileEdit.Edit
): Slices.Work<boolean> {
  const expected = [...before]
  if (edit._tag === "add") expected.push(edit.user)
  if (edit._tag === "remove") expected.splice(edit.index, 1)
  if (after.length !== expected.length) return false
  let at = 0
  if (yield* Slices.find(after, ({ name }) => name !== expected[at++]!.name)) return false
  if (edit._tag === "remove") return true
  if (edit._tag === "add") {
    const [added, asked] = [after.at(-1)!, edit.user].map((user) =>
      JSON.stringify(UsersFileEdit.written(user))
    )
    return added === asked
  }
  const user = after[edit.index]!
  const { enabled, passwordHash } = edit.to
  return (
    (enabled === undefined || (user.enabled ?? true) === enabled) &&
    (passwordHash === undefined || hashOf(user.passwordHash) === hashOf(passwordHash))
  )
}

const hashOf = (hash: User["passwordHash"]): string | undefined =>
  hash && PasswordHash.format(Redacted.value(hash))

/** The stamp of an open file, and what changes with its content only. */
const stateOf = (path: string, file: FileHandle) =>
  io(path, async () => {
    const stats = await file.stat({ bigint: true })
    return {
      stamp: FileStamp.stampOf(stats),
      mtimeMs: Number(stats.mtimeMs),
      content: `${stats.size}:${stats.mtimeNs}`
    }
  })

const textOf = (path: string, file: FileHandle): Effect.Effect<string, StateFailed> =>
  Effect.flatMap(
    io(path, async () => {
      const buffer = Buffer.alloc(piece)
      // The mark at the beginning stays in the text.
      const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      let text = ""
      try {
        for (let at = 0; ; ) {
          const { bytesRead } = await file.read(buffer, 0, piece, at)
          if (bytesRead === 0) return text + decoder.decode()
          text += decoder.decode(buffer.subarray(0, bytesRead), { stream: true })
          at += bytesRead
        }
      } catch (error) {
        if (error instanceof TypeError) return undefined
        throw error
      }
    }),
    (text) => (text === undefined ? Effect.fail(failed(path, "it is not UTF-8")) : Effect.succeed(text))
  )

const piece = 256 * 1024

/** Opens a file that this process may change, until the scope closes. */
const opened = (path: string, target: string): Effect.Effect<FileHandle, StateFailed, Scope.Scope> =>
  Effect.acquireRelease(
    io(path, async () => {
      await access(target, constants.W_OK)
      return open(target, "r")
    }),
    (file) => Effect.promise(() => file.close())
  ).pipe(
    Effect.tap((file) =>
      Effect.flatMap(
        io(path, () => file.stat()),
        // Root may write to any file.
        ({ mode }) => (mode & 0o222 ? Effect.void : Effect.fail(failed(path, "it is read-only")))
      )
    )
  )

/** Waits for the lock of a file, a few seconds at most. */
const lock = (path: string, at: string): Effect.Effect<void, StateFailed, Scope.Scope> =>
  FileLock.hold(at).pipe(
    Effect.retry({ schedule: Schedule.spaced("50 millis"), times: 100, while: isHeld }),
    Effect.mapError((problem) =>
      problem._tag === "Held"
        ? failed(path, `${problem.by} changes it`)
        : failed(path, StateFile.reasonOf({ name: "", message: "", code: problem.code }))
    )
  )

const isHeld = ({ _tag }: { readonly _tag: string }): boolean => _tag === "Held"

const io = <A>(path: string, run: () => Promise<A>): Effect.Effect<A, StateFailed> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => failed(path, StateFile.reasonOf(cause as NodeJS.ErrnoException))
  })

const failed = (path: string, reason: string): StateFailed => new StateFailed({ path, reason })

const changing = "another program is writing to it"

const isChanging = (error: UserStoreError): boolean =>
  error._tag === "StateFailed" && error.reason === changing

const unusual = "it is no plain list, with a dash before each user, so it can only be changed by hand"
