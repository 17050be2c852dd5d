/**
 * Changes of users, which the machine that has made one tells the others of: a log in the store, and a notice. A machine
 * that was away makes the changes that it has missed, in their order.
 */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as AtomicFile from "../base/AtomicFile.ts"
import type { FleetStoreFailed } from "../Errors.ts"
import { type FleetStore, run } from "./FleetStore.ts"
import type { Keys } from "./Keys.ts"
import { AddUserChange, ListUserChanges } from "./scripts/UserChanges.ts"

/** A change of a user, as plain data. */
export const UserChange = Schema.Struct({
  name: Schema.String,
  /** Whether a user who is not there is to be added. */
  isNew: Schema.optionalKey(Schema.Boolean),
  isRemoved: Schema.optionalKey(Schema.Boolean),
  enabled: Schema.optionalKey(Schema.Boolean),
  /** As a users file has it. */
  passwordHash: Schema.optionalKey(Schema.String),
  groups: Schema.optionalKey(Schema.Array(Schema.String))
})
export type UserChange = typeof UserChange.Type

export type MakeChange = (change: UserChange) => Effect.Effect<void>

export class FleetUsers extends Context.Service<
  FleetUsers,
  {
    /** Tells the other machines of a change that was made here. While the store is away, it waits in memory. */
    readonly tell: (change: UserChange) => Effect.Effect<void, FleetStoreFailed>
    /** Makes the changes of other machines from now on, in their order, until the scope closes. */
    readonly follow: (make: MakeChange) => Effect.Effect<void, never, Scope.Scope>
  }
>()("effect-socks/fleet/FleetUsers") {}

export const channelOf = (keys: Keys): string => `${keys.broadcast}:users`

/** The log, and the number of the last of its changes that was made here. */
const Position = Schema.fromJsonString(Schema.Struct({ id: Schema.String, version: Schema.Natural }))

interface Options {
  readonly store: Pick<FleetStore["Service"], "call">
  readonly keys: Keys
  /** Keeps which changes were made here. Without it a machine that starts takes only revocations from the log. */
  readonly stateDir: string | undefined
}

type Made = FleetUsers["Service"] & {
  /** Makes the changes that were missed, once. */
  readonly catchUp: (make: MakeChange) => Effect.Effect<void, FleetStoreFailed>
  /** Learns of changes. To be called each second, and when there is a notice. */
  readonly exchange: Effect.Effect<void, FleetStoreFailed>
}

export const make = Effect.fnUntraced(function* ({ store, keys, stateDir }: Options): Effect.fn.Return<Made> {
  const log = [keys.ofBucket("users", 0)]
  const path = stateDir === undefined ? undefined : join(stateDir, "fleet-users.json")
  const one = yield* Semaphore.make(1)
  let position = yield* read(path)
  let saved = position
  let waiting: ReadonlyArray<UserChange> = []
  let makeChange: MakeChange | undefined

  const save = Effect.suspend(() => {
    if (path === undefined || (saved.id === position.id && saved.version === position.version))
      return Effect.void
    const { id, version } = position
    const kept = Effect.sync(() => {
      saved = { id, version }
    })
    return Effect.tryPromise(() => AtomicFile.replace(path, JSON.stringify({ id, version }))).pipe(
      Effect.andThen(kept),
      Effect.catch(() => Effect.logError("which changes of users were made cannot be kept", { file: path }))
    )
  })

  const sendWaiting = Effect.gen(function* () {
    while (waiting.length > 0) {
      const [first, ...others] = waiting
      const args = [JSON.stringify(first), crypto.randomUUID(), channelOf(keys)]
      const version = yield* run(store, AddUserChange, log, args)
      waiting = others
      // Else the changes of others before it are to be made, and this one once more.
      if (version === position.version + 1) position = { ...position, version }
    }
  })

  const learn = Effect.fnUntraced(function* (makeChange: MakeChange | undefined) {
    if (makeChange === undefined) return
    const { id, version } = position
    const [current, last, texts] = yield* run(store, ListUserChanges, log, [crypto.randomUUID(), id, version])
    if (current === id && last - texts.length > version) {
      yield* Effect.logError(
        "changes of users were missed: compare the users with those of another machine",
        {
          missed: last - texts.length - version
        }
      )
    }
    const changes = texts.flatMap((text) => Option.toArray(decode(text)))
    for (const change of current === id ? changes : revocations(changes)) yield* makeChange(change)
    position = { id: current, version: last }
  })

  const exchange = Effect.suspend(() => learn(makeChange)).pipe(
    Effect.andThen(sendWaiting),
    Effect.ensuring(save),
    one.withPermits(1)
  )

  return {
    tell: (change) =>
      Effect.suspend(() => {
        waiting = [...waiting, change]
        return one.withPermits(1)(Effect.ensuring(sendWaiting, save))
      }),
    follow: (next) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          makeChange = next
        }),
        () =>
          Effect.sync(() => {
            makeChange = undefined
          })
      ),
    catchUp: (make) => learn(make).pipe(Effect.ensuring(save), one.withPermits(1)),
    exchange
  }
})

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(UserChange))

/**
 * Of a log that this machine does not know, as it is new in the fleet or the store was emptied: who may not log in by the
 * last change. Its own users may be later than the rest.
 */
const revocations = (changes: ReadonlyArray<UserChange>): ReadonlyArray<UserChange> =>
  [...new Map(changes.map((change) => [change.name, change])).values()].filter(
    ({ isRemoved, enabled }) => isRemoved === true || enabled === false
  )

const read = Effect.fnUntraced(function* (path: string | undefined) {
  if (path === undefined) return { id: "", version: 0 }
  const text = yield* Effect.promise(() => readFile(path, "utf8").catch(() => ""))
  return Option.getOrElse(Schema.decodeUnknownOption(Position)(text), () => ({ id: "", version: 0 }))
})
