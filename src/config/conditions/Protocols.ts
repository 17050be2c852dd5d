import * as Schema from "effect/Schema"
import { protocols as names, type ProtocolName } from "../Parsers.ts"
import * as Condition from "./Condition.ts"

export const protocols = Condition.make({
  item: Schema.Literals(names),
  description: "How it is asked",
  format: String,
  holds: (name: ProtocolName, { protocol }) => name.toUpperCase() === protocol,
  includes: Condition.equal
})
