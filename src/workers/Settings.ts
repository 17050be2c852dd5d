/**
 * The setting of the number of processes.
 */
import * as Option from "effect/Option"
import * as Parsers from "../config/Parsers.ts"
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"

/** The largest number of processes, more than any machine can use: a typing error must not start thousands. */
const mostWorkers = 256

export class WorkerSettings extends Section.makeStartOnly<WorkerSettings>()("effect-socks/workers/Settings", {
  workers: Setting.single<number | "auto">({
    description:
      "Number of processes that serve together. Limits and bans hold for all of them as one. auto is " +
      "one for each core",
    metavar: "COUNT",
    read: (text) =>
      text === "auto"
        ? Option.some(text)
        : Option.filter(Parsers.count(text), (count) => count <= mostWorkers),
    expected: `a whole number from 1 to ${mostWorkers}, or auto`,
    json: { anyOf: [{ type: "integer", minimum: 1, maximum: mostWorkers }, { enum: ["auto"] }] },
    default: 1,
    defaultText: "1"
  })
}) {}
