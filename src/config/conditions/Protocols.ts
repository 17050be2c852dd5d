import * as Schema from "effect/Schema"
import type { ProtocolName } from "../Parsers.ts"
import * as Condition from "./Condition.ts"

export const protocols = Condition.make({
  item: Schema.Literals(["socks5", "socks4", "http"]),
  description: "How it is asked",
  format: String,
  holds: (name: ProtocolName, { protocol }) => name.toUpperCase() === protocol,
  includes: Condition.equal
})
