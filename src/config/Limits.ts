/**
 * The limits of a user, or of the sessions that a rule allows, and their form in a file.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Parsers from "./Parsers.ts"

/**
 * If a limit is left out, the limit in the settings applies. `Infinity`, written `off`,
 * means no limit, whatever the settings say.
 */
export interface Limits {
  /** Concurrent sessions. */
  readonly sessions?: number
  /** New sessions a second. */
  readonly sessionRate?: number
  /** Bytes a second from clients, all their sessions together. */
  readonly upload?: number
  /** Bytes a second to clients, all their sessions together. */
  readonly download?: number
  /** The longest duration of each session. */
  readonly lifetime?: Duration.Duration
  /** Bytes in a day, both ways together. */
  readonly dailyQuota?: number
  /** Bytes in a month, both ways together. */
  readonly monthlyQuota?: number
}

const text = Schema.Union([Schema.Finite, Schema.String])

/** The schema of a limit: a text such as `10MiB`, a number such as `50`, or `off`. */
const limit = <A>(options: {
  readonly description: string
  readonly expected: string
  readonly value: Schema.Codec<A>
  readonly read: (text: string) => Option.Option<A>
  readonly off: A
}) => {
  const { description, value, read, off } = options
  const expected = `${options.expected}, or off`
  return text.annotate({ description: `${description}: ${expected}` }).pipe(
    Schema.decodeTo(
      value,
      SchemaTransformation.transformEffect<A, string | number>({
        decode: (text) =>
          Effect.mapError(
            Effect.fromOption(text === "off" ? Option.some(off) : read(String(text))),
            () => new SchemaIssue.InvalidValue({ expected })
          ),
        encode: (limit) => Effect.succeed(limit === off ? "off" : written(limit))
      })
    ),
    Schema.optionalKey
  )
}

const written = (limit: unknown): string | number =>
  Duration.isDuration(limit) ? `${Duration.toMillis(limit)}ms` : Number(limit)

const number = { value: Schema.Number, off: Number.POSITIVE_INFINITY }
const count = { ...number, read: Parsers.count, expected: "a whole number above 0" }
const size = { ...number, read: Parsers.bytes, expected: "a number of bytes such as 512KiB, 10MiB or 1GiB" }
const rate = { ...number, read: Parsers.rate, expected: "bytes a second such as 512KiB or 10MiB" }

/**
 * `{ sessions: 50, session-rate: 10, upload: 2MiB, download: 10MiB, lifetime: 8h, daily-quota: 5GiB, monthly-quota: off
 * }`
 */
export const schema = Schema.Struct({
  sessions: limit({ ...count, description: "Sessions at once" }),
  sessionRate: limit({ ...count, description: "New sessions a second" }),
  upload: limit({ ...rate, description: "From clients, all their sessions together" }),
  download: limit({ ...rate, description: "To clients, all their sessions together" }),
  lifetime: limit({
    description: "Of each session, however busy it is",
    expected: "a duration such as 30s, 15m or 8h",
    value: Schema.Duration,
    read: Parsers.duration,
    off: Duration.infinity
  }),
  dailyQuota: limit({ ...size, description: "In a day, both ways together" }),
  monthlyQuota: limit({ ...size, description: "In a month, both ways together" })
}).pipe(
  Schema.encodeKeys({
    sessionRate: "session-rate",
    dailyQuota: "daily-quota",
    monthlyQuota: "monthly-quota"
  })
) satisfies Schema.Codec<Limits, unknown>
