/**
 * Reads a users file. What is wrong with it is told as a setting that is wrong.
 */
import { readFile } from "node:fs/promises"
import * as Effect from "effect/Effect"
import { BadSetting } from "../Errors.ts"
import { printable } from "../wire/Text.ts"
import type { User } from "./User.ts"
import * as UsersFile from "./UsersFile.ts"

/** The users of a file. Fails for a name that the file has twice. */
export const read = (path: string, memo?: UsersFile.Memo): Effect.Effect<ReadonlyArray<User>, BadSetting> =>
  Effect.flatMap(
    Effect.tryPromise({
      try: () => readFile(path, "utf8"),
      catch: (error) =>
        bad(`"${printable(path)}"`, `a file that can be read (${(error as NodeJS.ErrnoException).code})`)
    }),
    (text) => parse(path, text, memo)
  )

/** The users in the text of a file. */
export const parse = (
  path: string,
  text: string,
  memo?: UsersFile.Memo
): Effect.Effect<ReadonlyArray<User>, BadSetting> =>
  Effect.mapError(UsersFile.parse(path, text, memo), ({ where, expected }) =>
    bad(`${where} of "${printable(path)}"`, expected)
  )

const bad = (value: string, expected: string): BadSetting =>
  new BadSetting({ setting: "--users-file", value, expected })
