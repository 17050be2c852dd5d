/**
 * The settings in force as texts for operators. Secrets, users and their passwords are not shown.
 */
import * as Duration from "effect/Duration"
import * as Host from "effect/net/Host"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Redacted from "effect/Redacted"
import * as ListenAddress from "../config/ListenAddress.ts"
import * as Parsers from "../config/Parsers.ts"
import { RuleTable } from "../config/RuleTable.ts"
import * as Setting from "../config/Setting.ts"
import * as TargetPattern from "../config/TargetPattern.ts"
import type { AllowTarget } from "../policy/AllowTarget.ts"
import { printable } from "../wire/Text.ts"
import type { SettingRow } from "./Api.ts"

/** A row for each setting of the table. */
export const rows = (
  table: Setting.Table,
  values: Readonly<Record<string, unknown>>
): ReadonlyArray<SettingRow> =>
  Object.entries(table).map(([name, setting]) => {
    const value = values[name]
    const isDefault = value === setting.default
    return {
      name: Setting.flagName(name),
      value: isDefault ? setting.defaultText : shown(setting, value),
      isDefault,
      description: setting.description
    }
  })

const shown = (setting: Setting.Table[string], value: unknown): string => {
  if (Setting.isText(setting) && setting.isSecret) {
    return Array.isArray(value) ? `${value.length} (not shown)` : "(not shown)"
  }
  if (typeof value === "number" && Setting.isText(setting) && setting.metavar === "MODE") {
    return `0${value.toString(8)}`
  }
  return Setting.isText(setting) ? textOf(value) : `${countOf(value)} (in the config file)`
}

const countOf = (value: unknown): number =>
  Array.isArray(value) || value instanceof RuleTable ? [...value].length : 1

/** The text of a value as settings are written. */
const textOf = (value: unknown): string => {
  if (Array.isArray(value)) {
    const texts = value.slice(0, mostItems).map(textOf)
    return value.length > mostItems
      ? `${texts.join(", ")} and ${value.length - mostItems} more`
      : texts.join(", ") || "none"
  }
  if (value === undefined) return "none"
  if (value === Number.POSITIVE_INFINITY) return "off"
  if (Redacted.isRedacted(value)) return "(not shown)"
  if (Duration.isDuration(value)) return Duration.isFinite(value) ? Parsers.formatDuration(value) : "off"
  if (typeof value !== "object" || value === null) return printable(String(value), 1000)
  if (IpNetwork.isIpNetwork(value)) return IpNetwork.format(value)
  if ("host" in value && isPattern(value.host)) return targetOf(value as AllowTarget)
  if (Host.isHostPort(value)) return Host.formatHostPort(value)
  if ("_tag" in value && listenTags.has(String(value._tag))) {
    return ListenAddress.format(value as ListenAddress.ListenAddress)
  }
  return Object.entries(value)
    .filter(([name]) => name !== "_tag")
    .map(([name, part]) => `${name}: ${textOf(part)}`)
    .join(", ")
}

/** Whether this is the host of a target in settings, and not that of an address. */
const isPattern = (host: unknown): boolean =>
  typeof host === "object" && host !== null && "_tag" in host && patternTags.has(String(host._tag))

const patternTags: ReadonlySet<string> = new Set<TargetPattern.HostPattern["_tag"]>([
  ...(["Any", "AnyName", "Name", "Suffix", "Network"] as const)
])

const targetOf = (target: AllowTarget): string =>
  `${target.isLocal ? "local:" : ""}${TargetPattern.format(target)}`

const mostItems = 50

const listenTags: ReadonlySet<string> = new Set([
  "HostPort",
  "UnixPathAddress",
  "Systemd",
  "Tls",
  "WithOptions"
])
