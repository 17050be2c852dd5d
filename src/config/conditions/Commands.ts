import * as Schema from "effect/Schema"
import * as Condition from "./Condition.ts"

/** What clients can ask for, as settings and flags have it. */
export const names = ["connect", "bind", "associate", "forward"] as const

export type Command = (typeof names)[number]

export const commands = Condition.make({
  item: Schema.Literals(names),
  description: "What is asked for",
  format: String,
  holds: (name: Command, { command }) => name.toUpperCase() === command,
  includes: Condition.equal
})
