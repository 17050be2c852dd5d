import * as Schema from "effect/Schema"
import * as Condition from "./Condition.ts"
import * as Term from "./Term.ts"

export const groups = Condition.make({
  item: Schema.NonEmptyString,
  description: "One of the groups of the user",
  quick: Condition.quickText,
  format: String,
  term: Term.names<string>({ kind: "group", of: ({ identity }) => identity.groups }),
  includes: Condition.equal,
  existing: { among: "groups", expected: "a group of any user" }
})
