/**
 * The sentences about a command line that cannot be read, with the setting that was
 * probably meant. Flags of other proxies are known, too.
 */
import type * as CliError from "effect/cli/CliError"
import * as Setting from "../config/Setting.ts"
import * as Suggest from "../config/Suggest.ts"
import { printable } from "../wire/Text.ts"
import * as Help from "./Help.ts"
import * as Settings from "./Settings.ts"

/** A sentence for each error. */
export const lines = (errors: ReadonlyArray<CliError.NonShowHelpErrors>): ReadonlyArray<string> => {
  const flags = errors.filter((error) => error._tag === "UnrecognizedOption")
  // The value behind an unknown flag looks like an unknown command.
  const others = errors.filter(({ _tag }) => flags.length === 0 || _tag !== "UnknownSubcommand")
  return others.map((error) => {
    if (error._tag === "UnrecognizedOption") return unknownSetting(error)
    if (error._tag === "UnknownSubcommand") return unknownCommand(error)
    return error._tag === "InvalidValue" && Object.hasOwn(wrongArguments, error.option)
      ? wrongArguments[error.option]!(error.value)
      : error.message
  })
}

/** What is said of a wrong argument, by the name of the argument. */
const wrongArguments: Readonly<Record<string, (value: string) => string>> = {
  id: (value) =>
    `"${printable(value)}" is no session: sessions have numbers such as 17, which effect-socks sessions lists`,
  topic: (value) => {
    const meant = Suggest.nearest(value, [...Help.topics, ...Help.settings])
    const known = `A topic is a command, a setting, or one of ${Help.topics.join(", ")}.`
    return `There is no help on ${printable(value)}. ${meant === undefined ? known : `Did you mean ${meant}?`}`
  }
}

const unknownCommand = ({ subcommand, suggestions: [meant] }: CliError.UnknownSubcommand): string =>
  `There is no command ${printable(subcommand)}.${meant === undefined ? "" : ` Did you mean ${meant}?`}`

const unknownSetting = ({ option, suggestions }: CliError.UnrecognizedOption): string => {
  const name = option.replace(/^-+/, "")
  const elsewhere = Object.hasOwn(translations, name) ? translations[name] : undefined
  const nearest = Suggest.nearest(option, flags)
  const meant = elsewhere ?? suggestions[0] ?? (nearest && `--${nearest}`)
  const sentence = `There is no setting ${printable(option)}.`
  if (meant === undefined) return sentence
  return `${sentence} ${meant.startsWith("-") ? `Did you mean ${meant}?` : meant}`
}

const flags = Object.keys(Setting.texts(Settings.table)).map(Setting.flagName)

const noEgress = "The system chooses the address from which this server connects to targets."

/** Names of settings in other proxies: dante, microsocks, tinyproxy, gost, 3proxy, squid, ssh and curl. */
export const translations: Readonly<Record<string, string>> = {
  ...named(
    "--listen ADDRESS",
    "L",
    "i",
    "p",
    "D",
    "port",
    "host",
    "address",
    "bind-address",
    "internal",
    "addr"
  ),
  ...named("--listen HTTP-ADDRESS?protocols=http for a port of its own", "http-port", "socks-port"),
  ...named(
    "--user NAME:PASSWORD",
    "u",
    "U",
    "P",
    "auth",
    "username",
    "password",
    "pass",
    "login",
    "credentials"
  ),
  ...named("--users-file FILE", "passwd", "htpasswd", "auth-file", "userlist"),
  ...named("--open", "no-auth", "anonymous", "allow-all"),
  ...named("--trust CIDR", "allow", "allow-client", "whitelist", "w"),
  ...named("--allow-target TARGET, or rules in the config file", "acl", "allowlist", "allow-host"),
  ...named("--deny-target TARGET", "block", "deny", "blacklist", "blocklist"),
  ...named("--idle-timeout DURATION", "timeout", "idle", "keepalive"),
  ...named("--max-sessions COUNT", "max-connections", "maxconn", "max-clients", "limit"),
  ...named("--bandwidth-user UP/DOWN", "rate", "speed", "bandwidth", "limiter"),
  ...named("--tls-cert FILE", "cert", "certificate", "ssl-cert"),
  ...named("--tls-key FILE", "key", "ssl-key"),
  ...named("--workers COUNT", "threads", "processes", "cluster", "j"),
  ...named("--log-level LEVEL", "verbose", "debug", "quiet", "q", "d"),
  ...named("--config FILE", "c", "f", "conf", "file"),
  ...named("--advertise ADDRESS", "external-ip", "public-ip"),
  ...named("--static-hosts NAME=ADDRESS", "add-host", "hosts"),
  ...named("--pac all", "proxy-pac-url", "autoconfig", "wpad"),
  ...named("--prefer FAMILY", "prefer-ipv4", "prefer-ipv6", "ipv4", "ipv6"),
  ...named("--upstream URL", "proxy", "outgoing", "forward", "F", "parent", "x"),
  ...named(noEgress, "external"),
  ...named("--dns SERVER", "dns-server", "nameserver", "resolver")
}

function named(meant: string, ...names: ReadonlyArray<string>): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [name, meant]))
}
