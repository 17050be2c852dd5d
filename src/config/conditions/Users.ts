import * as Schema from "effect/Schema"
import { fromPrintable, printable } from "../../wire/Text.ts"
import * as Condition from "./Condition.ts"
import * as Term from "./Term.ts"

export const users = Condition.make({
  item: Schema.NonEmptyString,
  description: "Who asks",
  quick: Condition.quickText,
  format: String,
  term: Term.names({
    kind: "user",
    of: ({ identity }) => identity.user,
    // Identities have names in their printable form.
    toRequest: (user: string) => printable(user, Number.POSITIVE_INFINITY),
    fromRequest: fromPrintable
  }),
  includes: Condition.equal,
  existing: { among: "users", expected: "one of the users" }
})
