import * as Schema from "effect/Schema"
import * as Condition from "./Condition.ts"

export type Command = "connect" | "bind" | "associate" | "forward"

export const commands = Condition.make({
  item: Schema.Literals(["connect", "bind", "associate", "forward"]),
  description: "What is asked for",
  format: String,
  holds: (name: Command, { command }) => name.toUpperCase() === command,
  includes: Condition.equal
})
