import * as Schema from "effect/Schema"
import { protocols as names, type ProtocolName } from "../Parsers.ts"
import * as Condition from "./Condition.ts"
import * as Term from "./Term.ts"

export const protocols = Condition.make({
  item: Schema.Literals(names),
  description: "How it is asked",
  format: String,
  term: Term.names({
    kind: "protocol",
    of: ({ protocol }) => protocol,
    toRequest: (name: ProtocolName) => name.toUpperCase(),
    fromRequest: (name) => name.toLowerCase() as ProtocolName
  }),
  includes: Condition.equal
})
