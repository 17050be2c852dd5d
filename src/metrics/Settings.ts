/**
 * The settings of metrics.
 */

import * as Option from "effect/Option"
import * as Parsers from "../config/Parsers.ts"
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"

export class MetricSettings extends Section.makeStartOnly<MetricSettings>()("effect-socks/metrics/Settings", {
  metrics: Setting.toggle(
    "Count sessions, bytes, times and refusals as metrics of Effect. With --admin they are counted in any case",
    false
  ),
  metricsUsers: Setting.single<number>({
    description:
      "Number of users that have metrics of their own. The bytes of all other users are counted together, " +
      "under the name other",
    metavar: "COUNT",
    read: (text) =>
      text === "0" ? Option.some(0) : Option.filter(Parsers.count(text), (count) => count <= mostUsers),
    expected: "a whole number from 0 to 10000",
    json: { type: "integer", minimum: 0, maximum: 10_000 },
    default: 100,
    defaultText: "100"
  })
}) {}

/** Each user is two series, which a scraper stores for weeks. */
const mostUsers = 10_000
