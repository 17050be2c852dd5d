import * as Schema from "effect/Schema"
import * as Condition from "./Condition.ts"
import * as Term from "./Term.ts"

/** The commands that clients can ask for, as settings and flags have them. */
export const names = ["connect", "bind", "associate", "forward"] as const

export type Command = (typeof names)[number]

export const commands = Condition.make({
  item: Schema.Literals(names),
  description: "What is asked for",
  format: String,
  term: Term.names({
    kind: "command",
    of: ({ command }) => command,
    toRequest: (name: Command) => name.toUpperCase(),
    fromRequest: (name) => name.toLowerCase() as Command
  }),
  includes: Condition.equal
})
