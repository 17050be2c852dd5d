import * as Schema from "effect/Schema"
import { printable } from "../../wire/Text.ts"
import * as Condition from "./Condition.ts"

export const users = Condition.make({
  item: Schema.NonEmptyString,
  description: "Who asks",
  quick: Condition.quickText,
  format: String,
  holds: (user: string, { identity }) => printable(user) === identity.user,
  includes: Condition.equal
})
