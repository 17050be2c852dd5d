/**
 * Makes the changes of users that were made on other machines of the fleet, in the store of users of this one.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as PasswordHash from "../auth/PasswordHash.ts"
import type { User } from "../auth/User.ts"
import { FleetUsers, type UserChange } from "../fleet/FleetUsers.ts"
import { printable } from "../wire/Text.ts"
import { Control } from "./Control.ts"
import { type ChangeableUsers, Operations } from "./Operations.ts"

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const users = yield* Effect.serviceOption(FleetUsers)
    if (Option.isNone(users)) return
    const { server } = yield* Control
    const { changeableUsers } = yield* Operations
    yield* users.value.follow((change) =>
      Effect.gen(function* () {
        const { store } = yield* changeableUsers
        yield* changed(store, change)
      }).pipe(
        Effect.match({ onFailure: ({ message }) => [message], onSuccess: () => [] }),
        // Also where the change is there, as several machines may have one file.
        Effect.zipWith(server.usersChanged(revokedBy(change)), (one, other) => [...one, ...other]),
        Effect.flatMap((problems) =>
          problems.length > 0 ? failed(change, problems.join("; ")) : done(change)
        )
      )
    )
  })
)

/** Makes a change in the users file before the server has read it. */
export const makeEarly =
  (changeableUsers: Operations["Service"]["changeableUsers"]) =>
  (change: UserChange): Effect.Effect<void> =>
    Effect.flatMap(changeableUsers, ({ store }) => changed(store, change)).pipe(
      Effect.matchEffect({
        onFailure: ({ message }) => failed(change, message),
        onSuccess: () => done(change)
      })
    )

const failed = ({ name }: UserChange, reason: string) =>
  Effect.logError("a user of the fleet cannot be changed here", { user: printable(name), reason })

const done = ({ name }: UserChange) =>
  Effect.logInfo("a user was changed in the fleet", { user: printable(name) })

const revokedBy = ({ name, isRemoved, enabled }: UserChange): ReadonlyArray<string> =>
  isRemoved === true || enabled === false ? [name] : []

const changed = Effect.fnUntraced(function* (store: ChangeableUsers["store"], change: UserChange) {
  const { name, isNew, isRemoved, enabled, groups } = change
  const found = (yield* store.list).find((user) => user.name === name)
  if (isRemoved) return yield* store.remove(name)
  const passwordHash =
    change.passwordHash === undefined
      ? undefined
      : Redacted.make(
          yield* Effect.fromResult(PasswordHash.fromString(change.passwordHash)).pipe(Effect.orDie)
        )
  if (found === undefined) {
    if (!isNew || passwordHash === undefined) return false
    return yield* store.add({ name, passwordHash, ...(groups && { groups }) })
  }
  if (
    (enabled ?? isEnabled(found)) === isEnabled(found) &&
    hashOf(passwordHash ?? found.passwordHash) === hashOf(found.passwordHash)
  ) {
    return false
  }
  return yield* store.change(name, { enabled, passwordHash })
})

const isEnabled = ({ enabled = true }: User): boolean => enabled

const hashOf = (hash: User["passwordHash"]): string | undefined =>
  hash && PasswordHash.format(Redacted.value(hash))
