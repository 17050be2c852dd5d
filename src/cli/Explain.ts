/**
 * The command `explain`.
 */
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Sources from "../config/Sources.ts"
import type * as AccessQuestion from "../server/AccessQuestion.ts"
import * as Explaining from "../server/Explaining.ts"
import { printable } from "../wire/Text.ts"
import * as Settings from "./Settings.ts"

/** The target is denied. */
export class Denied extends Data.TaggedError("Denied") {}

/** The name of the target has no address, so that no decision can be told. */
export class Undecided extends Data.TaggedError("Undecided") {}

/** Prints the decision of the settings' policy about an access. Fails if the access is denied. */
export const run = Effect.fnUntraced(function* (given: Sources.Given, asked: AccessQuestion.Given) {
  // Here --user names the user of the access, and is no setting.
  const { user = [], ...others } = given
  const { values } = yield* Settings.read({ ...others, logLevel: [] })
  const name = user.at(-1)
  const { lines, code, isUnknown } = yield* Explaining.answer(values, asked, name)
  if (isUnknown) yield* Console.error(`warning: "${printable(String(name))}" is none of the users`)
  yield* Console.log(lines.join("\n"))
  if (code === 1) return yield* new Denied()
  if (code === 3) return yield* new Undecided()
})
