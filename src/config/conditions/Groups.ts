import * as Schema from "effect/Schema"
import * as Condition from "./Condition.ts"

export const groups = Condition.make({
  item: Schema.NonEmptyString,
  description: "One of the groups of the user",
  quick: Condition.quickText,
  format: String,
  holds: (group: string, { identity }) => identity.groups?.includes(group) === true,
  includes: Condition.equal
})
