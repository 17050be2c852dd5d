import * as Option from "effect/Option"
import * as Parsers from "../Parsers.ts"
import { isIn, packed, unpacked } from "../RuleSymbols.ts"
import * as Condition from "./Condition.ts"

const format = ([first, last]: Parsers.PortRange) => (first === last ? `${first}` : `${first}-${last}`)

export const ports = Condition.make({
  item: Condition.value<Parsers.PortRange>({
    read: (text) => Parsers.portRange(text.includes("-") ? text : `${text}-${text}`),
    expected: "a port such as 443, or a range such as 8000-8999"
  }),
  description: "At which port",
  quick: (port) =>
    typeof port === "number" ? Option.getOrUndefined(Parsers.portRange(`${port}-${port}`)) : undefined,
  format,
  term: {
    about: "target",
    numberOf: packed,
    valueOf: unpacked,
    test:
      () =>
      (range, { target }) =>
        target !== undefined && isIn(range, target.port)
  },
  includes: (one, other) => one[0] <= other[0] && other[1] <= one[1]
})
