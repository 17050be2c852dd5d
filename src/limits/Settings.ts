/**
 * The settings of limits: sessions, rates, bandwidth, quotas.
 */
import * as Option from "effect/Option"
import * as Parsers from "../config/Parsers.ts"
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"

const quota = (description: string): Setting.Setting<number | "off", false> => ({
  description,
  metavar: "SIZE",
  read: (text) => (text === "off" ? Option.some(text) : Parsers.bytes(text)),
  expected: "a number of bytes such as 500MB, 512MiB or 5GiB, or off",
  json: {
    anyOf: [
      { type: "integer", minimum: 1 },
      { type: "string", pattern: "^\\d{1,15}(\\.\\d{1,3})?([kKMGT]?B|[KMGT]iB|)$|^off$" }
    ]
  },
  default: "off",
  defaultText: "off"
})

const bandwidth = (description: string, initially = "off"): Setting.Setting<Parsers.Rates, false> => ({
  description,
  metavar: "UP/DOWN",
  read: Parsers.rates,
  expected: "bytes a second such as 1MiB/10MiB, up and down, or 10MiB for each way, or off",
  default: Option.getOrThrow(Parsers.rates(initially)),
  defaultText: initially
})

export class LimitSettings extends Section.make<LimitSettings>()("effect-socks/limits/Settings", {
  maxHandshakes: Setting.single<Parsers.EarlyDrop | "auto">({
    description:
      "Limit of connections that have not sent their request yet, as MaxStartups of OpenSSH: above " +
      "START, RATE percent of new connections are dropped at random, rising to all at FULL, those of " +
      "the networks with most open connections first. An IPv4 address or IPv6 /64 may have an eighth of " +
      "the room that is left, a /48 a quarter, this machine half. auto is half of the limit on open " +
      "files, and 30 percent from a quarter of it",
    metavar: "START:RATE:FULL",
    read: (text) => (text === "auto" ? Option.some(text) : Parsers.earlyDrop(text)),
    expected: "START:RATE:FULL such as 10:30:100, with a rate of 1 to 100, or auto",
    json: { type: "string", pattern: "^\\d{1,9}:\\d{1,3}:\\d{1,9}$|^auto$" },
    default: "auto",
    defaultText: "auto"
  }),
  maxSessions: Setting.count(
    "Limit of concurrent sessions in all. auto follows from the limit on open files",
    "auto",
    "auto"
  ),
  maxSessionsPerClient: Setting.count(
    "Limit of concurrent sessions of a client: an IPv4 address, or an IPv6 /64",
    "off",
    "off"
  ),
  maxSessionsPerUser: Setting.count("Limit of concurrent sessions of a user", "off", "off"),
  sessionRate: Setting.count(
    "Limit of new sessions a second of a user, or of a client without one. Each HTTP request counts",
    "off",
    "off"
  ),
  maxLifetime: Setting.duration({
    description: "Longest duration of a session, however busy it is",
    default: "off",
    canBeOff: true
  }),
  dailyQuota: quota("Bytes that a user may transfer in a day (UTC), both directions together"),
  monthlyQuota: quota("Bytes that a user may transfer in a month (UTC), both directions together"),
  quotaResetDay: Setting.startOnly(
    Setting.single<number>({
      description: "Day of the month (UTC) on which monthly quotas begin anew",
      metavar: "DAY",
      read: (text) => Option.filter(Parsers.count(text), (day) => day <= 28),
      expected: "a day from 1 to 28",
      json: { type: "integer", minimum: 1, maximum: 28 },
      default: 1,
      defaultText: "1"
    })
  ),
  onQuota: Setting.word({
    description:
      "What happens to sessions whose quota is used up: deny ends them and refuses new ones, throttle lets them go on " +
      "with --bandwidth-over-quota",
    metavar: "ACTION",
    words: ["deny", "throttle"],
    default: "deny"
  }),
  bandwidthSession: bandwidth(
    "Bandwidth limit of each session, in bytes a second. It is given for what comes from the client and for what " +
      "goes to it, as 1MiB/10MiB, or for each of the two directions, as 10MiB"
  ),
  bandwidthUser: bandwidth(
    "Bandwidth limit of a user, in bytes a second. It holds for all sessions of the user together, or of a client " +
      "without a user"
  ),
  bandwidthTotal: bandwidth("Bandwidth limit of all sessions together, in bytes a second"),
  bandwidthOverQuota: {
    ...bandwidth(
      "Bandwidth limit of a user or a rule whose quota is used up, with --on-quota throttle, for all its sessions together",
      "64KiB"
    ),
    // Without a limit there a quota would do nothing.
    read: (text) =>
      Option.filter(Parsers.rates(text), ({ upload, download }) => Math.max(upload, download) < Infinity),
    expected: "bytes a second such as 32KiB/64KiB, up and down, or 64KiB for each way"
  },
  udpAssociations: Setting.count(
    "Limit of concurrent associations of a user, or of a client without one",
    "off",
    256
  )
}) {}
