/**
 * Has the sources of users in this process read the users file at once, after this program has changed it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BadSetting, BadSettings } from "../Errors.ts"
import * as UsersFile from "./UsersFile.ts"

/** Reads the users file. These users are no longer among its users, or may no longer log in: none of them is kept. */
type Read = (revoked: ReadonlyArray<string>) => Effect.Effect<void, BadSetting | BadSettings>

export interface UsersRefresh {
  /** What this process has read of the file. */
  readonly memo: UsersFile.Memo
  /** Has this read the file, until the scope closes. */
  readonly register: (read: Read) => Effect.Effect<void, never, Scope.Scope>
  /** Has every source read the file, and fails if one cannot use it. */
  readonly run: Read
}

export const make = (): UsersRefresh => {
  // Of several generations of settings.
  const sources = new Set<Read>()
  return {
    memo: UsersFile.makeMemo(),
    register: (read) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => sources.add(read)),
          () => Effect.sync(() => sources.delete(read))
        )
      ),
    run: (revoked) => Effect.forEach([...sources], (read) => read(revoked), { discard: true })
  }
}

/** The refresh of a server's users; undefined where nothing changes the users file from within. */
export const UsersRefresh = Context.Reference<UsersRefresh | undefined>("effect-socks/auth/UsersRefresh", {
  defaultValue: () => undefined
})
