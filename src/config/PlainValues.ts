/**
 * Settings as a program in TypeScript gives them: plain values such as `"15 minutes"`, `0o660` or
 * `Redacted.make("secret")`. Each value is converted to the form of the config file and read by the same schema, so
 * that the same values are refused, with the same sentences. Keys are in camel case here, and with dashes in the file.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as SchemaParser from "effect/SchemaParser"
import { BadFile, type BadSetting, BadSettings } from "../Errors.ts"
import * as ConfigFile from "./ConfigFile.ts"
import { Files } from "./Files.ts"
import * as ListenAddress from "./ListenAddress.ts"
import * as Parsers from "./Parsers.ts"
import * as ProblemErrors from "./ProblemErrors.ts"
import * as SchemaErrors from "./SchemaErrors.ts"
import * as Setting from "./Setting.ts"

/** The values of the settings that `options` has. Fails with all that is wrong with them. */
export const read = Effect.fnUntraced(function* <T extends Setting.Table>(
  table: T,
  options: object
): Effect.fn.Return<Partial<Setting.Values<T>>, BadSettings> {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const reason = 'the options are an object of settings, such as { listen: "127.0.0.1:1080" }'
    return yield* new BadSettings({ errors: [new BadFile({ reason })] })
  }
  const values: Record<string, unknown> = {}
  const errors: Array<BadFile | BadSetting> = []
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    if (!Object.hasOwn(table, name)) {
      const kind = { _tag: "Unknown", known: Object.keys(table) } as const
      errors.push(ProblemErrors.of({ path: [name], kind, isSecret: false }, { value, isPart: false }))
      continue
    }
    const setting = table[name]!
    yield* SchemaParser.decodeUnknownEffect(Setting.formOf(setting))(
      written(value, name, setting),
      ConfigFile.strictly
    ).pipe(
      Effect.provideService(Files, noFiles),
      Effect.match({
        onSuccess: (read) => {
          values[name] = read
        },
        onFailure: (issue) => {
          errors.push(...SchemaErrors.fromIssue(issue).map((problem) => errorOf(name, value, problem)))
        }
      })
    )
  }
  const [first, ...others] = errors
  if (first) return yield* new BadSettings({ errors: [first, ...others] })
  return values as Partial<Setting.Values<T>>
})

/** Options cannot name files with secrets or targets: the app reads such files itself. */
const noFiles: Files["Service"] = {
  read: () => Effect.fail("is not read here: give what is in it"),
  seen: new Set(),
  texts: new Map()
}

/** `session-rate` as a key in TypeScript: `sessionRate`. */
export const keyOf = (name: string): string =>
  name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())

const errorOf = (name: string, options: unknown, { path, kind, isSecret }: SchemaErrors.Problem) => {
  const keys = path.map((key) => (typeof key === "string" ? keyOf(key) : key))
  let value: unknown = options
  let isPart = false
  for (const key of keys) {
    const holder = value as Readonly<Record<PropertyKey, unknown>>
    if (typeof value === "object" && value !== null && key in holder) value = holder[key]
    else isPart = true
  }
  return ProblemErrors.of(
    {
      path: [name, ...keys],
      kind: kind._tag === "Unknown" ? { ...kind, known: kind.known.map(keyOf) } : kind,
      isSecret
    },
    { value: shown(value), isPart }
  )
}

/** The value that an error shows. */
const shown = (value: unknown): unknown => (isPlainObject(value) ? value : unwritten(value))

/** The value in the form of the config file. */
const written = (
  value: unknown,
  name: string,
  setting: Setting.Setting<unknown> | Setting.Structured<unknown>
): unknown => {
  if (!Setting.isText(setting)) return structure(value, true)
  switch (setting.metavar) {
    case "DURATION":
      return durationText(value)
    case "SIZE":
      return sizeText(value)
    case "UP/DOWN":
      return ratesText(value)
    case "MODE":
      // 0o660 is 432, and "432" would be other permissions.
      return typeof value === "number" ? value.toString(8).padStart(4, "0") : value
    default:
      return structure(value, setting.isSecret === true, name)
  }
}

/** A value with all values in it. `Redacted` values are unwrapped only if errors about the setting show no value. */
const structure = (value: unknown, canBeSecret: boolean, key?: string): unknown => {
  if (Array.isArray(value)) return value.map((each) => structure(each, canBeSecret, key))
  if (isPlainObject(value)) {
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, each]) => each !== undefined)
        .map(([key, each]) => [Setting.flagName(key), structure(each, canBeSecret, key)])
    )
  }
  if (Redacted.isRedacted(value)) return canBeSecret ? Redacted.value(value) : value
  if (key === "lifetime" || key === "wait" || key === "every") return durationText(value)
  if (key !== undefined && sizes.has(key)) return sizeText(value)
  return unwritten(value)
}

/** The keys of limits that are numbers of bytes. */
const sizes: ReadonlySet<string> = new Set(["upload", "download", "dailyQuota", "monthlyQuota"])

const isPlainObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype

/** The text of an object of Effect, such as a `Duration`; any other value as it is. */
const unwritten = (value: unknown): unknown => {
  if (Duration.isDuration(value)) return durationText(value)
  if (IpNetwork.isIpNetwork(value)) return IpNetwork.format(value)
  if (NetAddress.isIpAddress(value)) return NetAddress.formatIp(value)
  if (Host.isHostPort(value) || NetAddress.isSocketAddress(value)) return ListenAddress.format(value)
  return value
}

/** `15m`, of a duration or of a text such as `15 minutes`. Numbers have no unit, and are left as they are. */
const durationText = (value: unknown): unknown => {
  const duration =
    typeof value === "string" ? Option.getOrUndefined(Duration.fromInput(value as Duration.Input)) : value
  if (!Duration.isDuration(duration)) return value
  return Duration.isFinite(duration) ? Parsers.formatDuration(duration) : "off"
}

/** `10MiB`, of `10 MiB`. */
const sizeText = (value: unknown): unknown =>
  typeof value === "string" ? value.replace(/^([\d.]+) (?=[kKMGT]?i?B\b)/, "$1") : value

/** `1MiB/10MiB`, of the same with spaces before the units or of `{ upload, download }`. */
const ratesText = (value: unknown): unknown => {
  if (!isPlainObject(value)) {
    return typeof value === "string" ? value.split("/").map(sizeText).join("/") : value
  }
  const { upload = "off", download = "off", ...rest } = value
  return Object.keys(rest).length === 0 ? `${sizeText(upload)}/${sizeText(download)}` : value
}
