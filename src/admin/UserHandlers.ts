/**
 * The endpoints of users.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Semaphore from "effect/Semaphore"
import * as Hashing from "../auth/Hashing.ts"
import * as PasswordHash from "../auth/PasswordHash.ts"
import type { StoredUsers, UserStoreError } from "../auth/StoredUsers.ts"
import * as User from "../auth/User.ts"
import * as UserName from "../auth/UserName.ts"
import * as Slices from "../base/Slices.ts"
import { FleetUsers, type UserChange } from "../fleet/FleetUsers.ts"
import * as UsageDays from "../usage/Days.ts"
import { UsageRecords } from "../usage/UsageRecords.ts"
import { fromPrintable, printable } from "../wire/Text.ts"
import {
  AdminApi,
  Conflict,
  Invalid,
  largestPage,
  NotFound,
  NotOffered,
  Unavailable,
  type UsageRow,
  type UserRow
} from "./Api.ts"
import { audited } from "./AuditLog.ts"
import { Control } from "./Control.ts"
import { Operations } from "./Operations.ts"
import * as Paced from "./Paced.ts"

export const layer = HttpApiBuilder.group(
  AdminApi,
  "users",
  Effect.fnUntraced(function* (handlers) {
    const { server, sessions } = yield* Control
    const { users, changeableUsers } = yield* Operations
    const records = yield* UsageRecords
    const fleet = yield* Effect.serviceOption(FleetUsers)
    // One at a time, as other work waits for the same threads.
    const hashing = yield* Semaphore.make(1)

    const hash = Effect.fnUntraced(function* (password: Redacted.Redacted) {
      const text = Redacted.value(password)
      if (!User.isField(text) || text.includes("\0")) {
        return yield* new Invalid({ message: "the password has to have 1 to 255 bytes, none of them NUL" })
      }
      return Redacted.make(yield* hashing.withPermits(1)(Hashing.hash(utf8.encode(text), Hashing.usualCost)))
    })

    const find = (name: string) =>
      Effect.flatMap(Effect.mapError(users, refused), (all) => {
        const named = (name: string) => Paced.run(Slices.find(all, ({ user }) => user.name === name))
        const meant = fromPrintable(name)
        return printable(meant) === name
          ? Effect.flatMap(named(meant), (shown) => (shown ? Effect.succeed(shown) : named(name)))
          : named(name)
      })

    /** Has all processes take the change of these users. */
    const taken = Effect.fnUntraced(function* (revoked: ReadonlyArray<string>) {
      const problems = yield* server.usersChanged(revoked)
      if (problems.length > 0) {
        const message = `the change is stored, and not in force yet: ${problems.join("; ")}`
        return yield* new Unavailable({ message })
      }
    })

    /** Tells the other machines of a fleet. */
    const told = (change: UserChange) =>
      Option.match(fleet, {
        onNone: () => Effect.void,
        onSome: ({ tell }) =>
          Effect.mapError(
            tell(change),
            ({ reason }) =>
              new Unavailable({
                message: `the change is in force here, and told to the fleet when its store answers: ${reason}`
              })
          )
      })

    /**
     * Changes a user of the store, who may no longer log in afterwards if `isRevoked`. Returns the name as the store has
     * it.
     */
    const change = Effect.fnUntraced(function* (
      name: string,
      isRevoked: boolean,
      run: (store: StoredUsers, name: string) => Effect.Effect<boolean, UserStoreError>
    ) {
      const { store } = yield* changeableUsers
      const found = yield* find(name)
      if (found && !found.isStored) {
        const message = `${printable(name)} comes from the settings, --user or users of the config file: change the user there`
        return yield* new NotOffered({ message })
      }
      const isFound = found && (yield* Effect.mapError(run(store, found.user.name), refused))
      if (!isFound) return yield* new NotFound({ message: `there is no user ${printable(name)}` })
      yield* taken(isRevoked ? [found.user.name] : [])
      return found.user.name
    })

    return handlers
      .handle("list", ({ query: { search = "", offset = 0, limit = 100 } }) =>
        Effect.gen(function* () {
          const part = search.toLowerCase()
          const all = yield* Effect.mapError(users, unreadable)
          const chosen = yield* Paced.run(
            Slices.filter(all, ({ user: { name } }) => part === "" || name.toLowerCase().includes(part))
          )
          const page = chosen.slice(offset, offset + Math.min(limit, largestPage))
          const sums = new Map<string, Pick<UserRow, "sessions" | "sent" | "received">>()
          yield* Paced.run(
            Slices.each(yield* sessions.read, ({ user = "", sent, received }) => {
              const sum = sums.get(user) ?? { sessions: 0, sent: 0, received: 0 }
              sums.set(user, {
                sessions: sum.sessions + 1,
                sent: sum.sent + sent,
                received: sum.received + received
              })
            })
          )
          const rows = page.map(
            ({ user: { name, groups = [], expires = null, enabled = true }, isStored }): UserRow => ({
              ...{ name: printable(name), enabled, groups, expires, stored: isStored },
              ...(sums.get(printable(name)) ?? { sessions: 0, sent: 0, received: 0 })
            })
          )
          return HttpApiSchema.withHeaders({ body: rows, headers: { "x-total-count": chosen.length } })
        })
      )
      .handle("add", ({ payload: { name, password, groups = [] } }) =>
        Effect.gen(function* () {
          const { store, hasGroups, userParameters } = yield* changeableUsers
          const flaw = UserName.flawOf(name, userParameters)
          if (flaw !== undefined) return yield* new Invalid({ message: `the name ${flaw}` })
          if (groups.length > 0 && !hasGroups) return yield* new Invalid({ message: withoutGroups })
          if (groups.includes("")) return yield* new Invalid({ message: "a group has to have a name" })
          const isThere = new Conflict({ message: `there is a user ${printable(name)}` })
          if (yield* find(name)) return yield* isThere
          const passwordHash = yield* hash(password)
          const user = { name, passwordHash, ...(groups.length > 0 && { groups }) }
          if (!(yield* Effect.mapError(store.add(user), refused))) return yield* isThere
          yield* taken([])
          yield* told({ name, isNew: true, ...hashed(passwordHash), groups })
        }).pipe(audited("add user", { user: name }))
      )
      .handle("change", ({ params: { name }, payload: { enabled, password } }) =>
        Effect.gen(function* () {
          if (enabled === undefined && password === undefined) {
            return yield* new Invalid({ message: "enabled or password says what is to be changed" })
          }
          const passwordHash = password && (yield* hash(password))
          const to = { enabled, passwordHash }
          const changed = yield* change(name, enabled === false, (store, name) => store.change(name, to))
          yield* told({ name: changed, ...(enabled !== undefined && { enabled }), ...hashed(passwordHash) })
        }).pipe(audited(actionOf(enabled, password !== undefined), { user: name }))
      )
      .handle("remove", ({ params: { name } }) =>
        change(name, true, (store, name) => store.remove(name)).pipe(
          Effect.flatMap((name) => told({ name, isRemoved: true })),
          audited("remove user", { user: name })
        )
      )
      .handle("usage", ({ query }) => usage(records, query))
  })
)

interface Days {
  readonly user?: string
  readonly from?: string
  readonly to?: string
}

/** The usage of users by day. A user of the answer is one of the records, so that its name is a text as it is. */
const usage = Effect.fnUntraced(function* (
  { isOn, read }: UsageRecords["Service"],
  { user, ...days }: Days
): Effect.fn.Return<ReadonlyArray<UsageRow>, Invalid | NotOffered> {
  if (!isOn) {
    return yield* new NotOffered({ message: "usage is not recorded: --state-dir or --usage-store does" })
  }
  const today = UsageDays.dayOf(yield* Clock.currentTimeMillis)
  const { from = UsageDays.monthStart(today, 1), to = today } = days
  if (![from, to].every(UsageDays.isDay)) {
    return yield* new Invalid({ message: "from and to are days such as 2026-11-22" })
  }
  const records = yield* Effect.mapError(read({ from, to, user }), ({ _tag, message }) =>
    _tag === "UsageSummedUp" ? new Invalid({ message }) : new NotOffered({ message })
  )
  return records.map(({ user = null, duration, ...record }) => ({
    ...record,
    user,
    seconds: duration / 1000
  }))
})

/** A hash, as it is told. */
const hashed = (hash: Redacted.Redacted<PasswordHash.PasswordHash> | undefined) =>
  hash === undefined ? {} : { passwordHash: PasswordHash.format(Redacted.value(hash)) }

const actionOf = (enabled: boolean | undefined, hasPassword: boolean): string => {
  const actions = [
    ...(hasPassword ? ["set password of user"] : []),
    ...(enabled === undefined ? [] : [enabled ? "enable user" : "disable user"])
  ]
  return actions.join(", ") || "change user"
}

/** What a store says, as an error of the API. */
const refused = (error: UserStoreError): Invalid | Unavailable =>
  error._tag === "StateFailed" ? unreadable(error) : new Invalid({ message: error.message })

const unreadable = (error: UserStoreError): Unavailable =>
  new Unavailable({
    message: error._tag === "StateFailed" ? `${printable(error.path)}: ${error.reason}` : error.message
  })

const withoutGroups =
  "a users file with lines of NAME:HASH has no groups: one that ends in .yaml or .json has"

const utf8 = new TextEncoder()
