/**
 * Every setting: its name, meaning, default, and how it is read from text. The
 * flags, the environment variables, the keys of the config file, its JSON Schema,
 * `--help` and the reference in the README all come from these tables.
 */
import * as Duration from "effect/Duration"
import type * as JsonSchema from "effect/JsonSchema"
import * as Host from "effect/net/Host"
import type * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as AllowTarget from "./AllowTarget.ts"
import * as ListenAddress from "./ListenAddress.ts"
import * as Parsers from "./Parsers.ts"
import type * as Rule from "./Rule.ts"
import * as Schemas from "./Schemas.ts"
import * as TargetFiles from "./TargetFiles.ts"
import * as TargetPattern from "./TargetPattern.ts"
import * as User from "./User.ts"

/** One setting. `read` turns a text into a value, or into nothing if the text is not what is `expected`. */
export interface Setting<out A, out Many extends boolean = boolean> {
  readonly description: string
  readonly metavar: string
  readonly read: (text: string) => Option.Option<A>
  /** Completes the sentence "… is not …". */
  readonly expected: string
  readonly default: Many extends true ? ReadonlyArray<A> : A
  readonly defaultText: string
  /** Given more than once: repeated as a flag, or separated by commas; separated by this in an environment variable. */
  readonly separator?: RegExp
  /** Takes no value as a flag. */
  readonly isSwitch?: boolean
  /** Its text must not be shown. */
  readonly isSecret?: boolean
  /** Which texts, numbers and booleans it can be, as far as an editor of config files should know. */
  readonly json?: JsonSchema.JsonSchema
  /** How one value is written in a config file, where that can be more than its text. */
  readonly form?: Schemas.Form<A>
}

/** A setting with a structure, which only the config file has. */
export interface Structured<out A> {
  readonly description: string
  readonly form: Schemas.Form<A>
  readonly default: A
  readonly defaultText: string
}

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "none"
export type LogFormat = "auto" | "pretty" | "json"

const single = <A>(setting: Setting<A, false>) => setting
const many = <A>(setting: Setting<A, true> & { readonly separator: RegExp }) => setting

const duration = (options: {
  readonly description: string
  readonly default: string
  readonly canBeOff?: boolean
}): Setting<Duration.Duration, false> => {
  const read = (text: string) =>
    options.canBeOff && text === "off" ? Option.some(Duration.infinity) : Parsers.duration(text)
  return {
    description: options.description,
    metavar: "DURATION",
    read,
    expected: `a duration such as 500ms, 10s, 15m or 1h${options.canBeOff ? ", or off" : ""}`,
    json: {
      type: "string",
      pattern: `^\\d{1,9}(\\.\\d{1,3})?(ms|s|m|h|d)$${options.canBeOff ? "|^off$" : ""}`
    },
    default: Option.getOrThrow(read(options.default)),
    defaultText: options.default
  }
}

const file = (description: string): Setting<string | undefined, false> => ({
  description,
  metavar: "FILE",
  read: Parsers.path,
  expected: "the path of a file",
  json: { type: "string", minLength: 1 },
  default: undefined,
  defaultText: "none"
})

const count = <Word extends string>(
  description: string,
  word: Word,
  initially: number | Word
): Setting<number | Word, false> => ({
  description,
  metavar: "COUNT",
  read: (text) => (text === word ? Option.some(word) : Parsers.count(text)),
  expected: `a whole number above 0, or ${word}`,
  json: { anyOf: [{ type: "integer", minimum: 1, maximum: 999_999_999 }, { enum: [word] }] },
  default: initially,
  defaultText: String(initially)
})

const quota = (description: string): Setting<number | "off", false> => ({
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

const bandwidth = (description: string): Setting<Parsers.Rates, false> => ({
  description,
  metavar: "UP/DOWN",
  read: Parsers.rates,
  expected: "bytes a second such as 1MiB/10MiB, up and down, or 10MiB for each way, or off",
  default: { upload: Infinity, download: Infinity },
  defaultText: "off"
})

const networks = (description: string): Setting<IpNetwork.IpNetwork, true> =>
  many({
    description,
    metavar: "CIDR",
    read: Parsers.network,
    expected: "a network such as 10.0.0.0/8 or 2001:db8::/32, without bits behind its prefix, nor an address",
    default: [],
    defaultText: "none",
    separator: /[\s,]+/
  })

const toggle = (description: string, initially: boolean): Setting<boolean, false> => ({
  description,
  metavar: "",
  read: Parsers.toggle,
  expected: "true or false",
  json: { type: "boolean" },
  default: initially,
  defaultText: String(initially),
  isSwitch: true
})

const targetForms = "10.0.0.0/8, db.example or *.example, each with or without :443 or :8000-8999 behind it"

/** What the server itself goes by. */
export const server = {
  listen: many<ListenAddress.ListenAddress>({
    description:
      "Where to listen: HOST:PORT (port 0 lets the system choose one), unix:/path, or systemd for the sockets " +
      "that systemd passes (systemd:NAME for those of this FileDescriptorName), which are used only if asked " +
      "for; tls: before any of these puts TLS on it, and ?protocols=socks5+http&udp=false behind it gives it " +
      "settings of its own; with tls: there is no UDP unless it has udp=true there",
    metavar: "ADDRESS",
    read: ListenAddress.fromString,
    expected: ListenAddress.expected,
    form: ListenAddress.form,
    default: [Host.hostPortUnsafe(Host.hostFromStringUnsafe("127.0.0.1"), 1080)],
    defaultText: "127.0.0.1:1080",
    separator: /[\s,]+/
  }),
  protocols: many<Parsers.ProtocolName>({
    description: "Protocol that clients may speak",
    metavar: "PROTOCOL",
    read: Parsers.protocol,
    expected: "one of socks5, socks4 and http",
    json: { enum: [...Parsers.protocols] },
    default: ["socks5", "socks4", "http"],
    defaultText: "socks5, socks4, http",
    separator: /[\s,]+/
  }),
  user: many<User.User>({
    description: "User who may come in; with one or more, everyone has to give a password",
    metavar: "NAME:PASSWORD",
    read: User.fromString,
    expected: "NAME:PASSWORD, each 1 to 255 bytes, the name without a colon",
    default: [],
    defaultText: "nobody, and no password is asked",
    separator: /\n+/,
    isSecret: true
  }),
  usersFile: file(
    "More users: lines of NAME:HASH as htpasswd -B makes them (bcrypt) or hash-password (scrypt), or a list of " +
      "users in .yaml or .json; read again when it changes"
  ),
  authUrl: single<string | undefined>({
    description:
      "Service that decides about users who are not listed: gets POST {user, password, client} in JSON, answers " +
      "200 {groups, limits, ttl} or 401",
    metavar: "URL",
    read: Parsers.serviceUrl,
    expected:
      "a URL of https:, or of http: on this machine, without a user or a password in it, which --auth-token is " +
      "for; insecure: before it sends passwords over http: anywhere",
    default: undefined,
    defaultText: "none",
    // Some are written with a password, which is refused, or with a key.
    isSecret: true
  }),
  authToken: single<Redacted.Redacted | undefined>({
    description: "Bearer token for that service",
    metavar: "TOKEN",
    read: (text) => (/^[\w.~+/-]+=*$/.test(text) ? Option.some(Redacted.make(text)) : Option.none()),
    expected: "a bearer token (RFC 6750): letters, digits and - . _ ~ + /",
    default: undefined,
    defaultText: "none",
    isSecret: true
  }),
  trust: networks(
    "Network whose clients need no password (they may give one); with this and no users, nobody else comes in"
  ),
  banAfter: count(
    "Different wrong logins after which a client's network (an IPv4 address, or the /64 of an IPv6 one) is banned; four times as many for a /56, sixteen times for a /48",
    "off",
    10
  ),
  banWindow: duration({
    description: "Failed logins are forgotten when none follows for this long",
    default: "10m"
  }),
  banTime: duration({
    description: "How long a ban lasts; each further one twice as long, up to a day",
    default: "10m"
  }),
  bansFile: file(
    "Where bans are kept, so that they outlive a restart, one JSON object a line; to delete a line lifts a ban; FILE.known has who logged in from where"
  ),
  open: toggle("Serve everyone: listen beyond loopback although no password is asked", false),
  tlsCert: file("Certificate of the tls: listeners, and those that lead to its issuer (PEM)"),
  tlsKey: file("Key of that certificate (PEM, without a passphrase)"),
  tlsClientCa: file(
    "Whose certificates clients of tls: listeners must have (PEM); the common name in it is the user, and no " +
      "password is asked"
  ),
  tlsClientCrl: file(
    "Which of those certificates are revoked: a revocation list (PEM) of each authority, without which or after " +
      "whose time nobody comes in; read again when it changes"
  ),
  unixMode: single({
    description: "Permissions of the sockets of unix: listeners",
    metavar: "MODE",
    read: Parsers.mode,
    expected: "file permissions in octal, such as 0600 or 0660",
    json: { type: ["string", "integer"], pattern: "^0?[0-7]{3}$" },
    default: 0o600,
    defaultText: "0600"
  }),
  proxyProtocolFrom: networks(
    "Network of proxies in front of this server, whose connections must begin with a PROXY header (version 1 " +
      "or 2) that says where they come from; from elsewhere none is accepted"
  ),
  privateTargets: single<"auto" | "allow" | "deny">({
    description:
      "Let clients go to private, loopback and other special addresses, and to all of this machine's own: auto " +
      "lets them where nobody but this machine can connect, that is, where every listener is on loopback or a unix: " +
      "socket of mode 0600",
    metavar: "WHEN",
    read: (text) => Parsers.literal(text, ["auto", "allow", "deny"]),
    expected: "one of auto, allow and deny",
    default: "auto",
    defaultText: "auto"
  }),
  allowTarget: many<AllowTarget.AllowTarget>({
    description:
      "Target that clients may go to although it is special: a network, an address, a name, *.SUFFIX or *, with " +
      ":PORT or :FIRST-LAST behind it if need be, IPv6 in brackets then; a name or * opens no loopback or " +
      "link-local address and none that this machine has, unless it is localhost or has local: before it; a " +
      "network opens none that this machine has but those of loopback and link-local",
    metavar: "TARGET",
    read: AllowTarget.fromString,
    expected: `a target such as ${targetForms}, local: only before a name or *`,
    default: [],
    defaultText: "none",
    separator: /[\s,]+/
  }),
  denyTarget: many<TargetPattern.TargetPattern | "none">({
    description:
      "Target that clients may not go to, whatever else allows it; *:25 (mail) is one besides those given, unless " +
      "none is given, too",
    metavar: "TARGET",
    read: (text) => (text === "none" ? Option.some(text) : TargetPattern.fromString(text)),
    expected: `a target such as ${targetForms}, nor none`,
    // Mail servers: what spam goes through. The policy keeps it beside others.
    default: [{ host: { _tag: "Any" }, ports: [25, 25] }],
    defaultText: "*:25",
    separator: /[\s,]+/
  }),
  blurFailures: toggle(
    "Tell clients of every failure to connect alike (01 or 502), so that they cannot explore a network by them",
    false
  ),
  handshakeTimeout: duration({
    description: "Time for PROXY header, TLS, greeting, authentication and request together",
    default: "10s"
  }),
  resolveTimeout: duration({
    description: "Time to find the addresses of a name",
    default: "5s"
  }),
  connectTimeout: duration({
    description: "Time to connect to a target, all its addresses together",
    default: "10s"
  }),
  idleTimeout: duration({
    description: "End a session in which nothing moves for this long",
    default: "15m",
    canBeOff: true
  }),
  halfCloseTimeout: duration({
    description: "The same, once one side has finished sending",
    default: "1m",
    canBeOff: true
  }),
  drainTimeout: duration({
    description: "Time that sessions have to finish when the server is told to stop",
    default: "10s"
  }),
  bind: toggle("Carry out BIND: listen for one connection from a target, as active-mode FTP needs it", false),
  bindTimeout: duration({
    description: "Time that the target of a BIND has to connect",
    default: "2m"
  }),
  maxHandshakes: single<Parsers.EarlyDrop | "auto">({
    description:
      "Connections at once that have not yet asked for anything: from START on RATE percent are dropped at " +
      "random, growing to all of them at FULL, first where most are open; an address or /64 network may have " +
      "an eighth of what is left of FULL, a /48 a quarter, this machine half; auto is half of what the limit on " +
      "open files allows, and begins with 30 percent at a quarter",
    metavar: "START:RATE:FULL",
    read: (text) => (text === "auto" ? Option.some(text) : Parsers.earlyDrop(text)),
    expected: "START:RATE:FULL such as 10:30:100, with a rate of 1 to 100, or auto",
    json: { type: "string", pattern: "^\\d{1,9}:\\d{1,3}:\\d{1,9}$|^auto$" },
    default: "auto",
    defaultText: "auto"
  }),
  maxSessions: count("Sessions at once; auto is what the limit on open files allows", "auto", "auto"),
  maxSessionsPerClient: count("Sessions at once of one address, or /64 network of IPv6", "off", "off"),
  maxSessionsPerUser: count("Sessions at once of a user", "off", "off"),
  sessionRate: count(
    "New sessions a second of a user, or an address without one; requests of HTTP count each",
    "off",
    "off"
  ),
  maxLifetime: duration({
    description: "End every session after this long, however busy it is",
    default: "off",
    canBeOff: true
  }),
  dailyQuota: quota("Bytes that a user may move in a day (UTC), both ways together"),
  monthlyQuota: quota("Bytes that a user may move in a month (UTC), both ways together"),
  stateDir: {
    ...file(
      "Directory in which what users have used of their quotas is kept over restarts, and who logged in from where if there is no --bans-file; read at the start only"
    ),
    metavar: "DIR",
    expected: "the path of a directory"
  },
  bandwidthSession: bandwidth(
    "Bytes a second of each session, from the client and to it: 1MiB/10MiB, or 10MiB for each way"
  ),
  bandwidthUser: bandwidth("The same for all sessions of a user, or of an address without one, together"),
  bandwidthTotal: bandwidth("The same for all sessions together"),
  udp: toggle(
    "Relay datagrams (UDP ASSOCIATE), but for clients of tls: listeners that do not have udp=true behind them",
    true
  ),
  udpPorts: single<Parsers.PortRange | "any">({
    description: "Ports at which clients' datagrams are taken; any leaves the choice to the system",
    metavar: "FIRST-LAST",
    read: (text) => (text === "any" ? Option.some(text) : Parsers.portRange(text)),
    expected: "a range of ports such as 40000-40999, or any",
    json: { type: "string", pattern: "^[1-9]\\d{0,4}-[1-9]\\d{0,4}$|^any$" },
    default: "any",
    defaultText: "any"
  }),
  udpIdleTimeout: duration({
    description: "End a client's use of UDP, with its connection, when no datagram passes for this long",
    default: "60s",
    canBeOff: true
  }),
  udpRate: count("Datagrams a second that a client may send; what goes beyond is dropped", "off", "off"),
  udpAssociations: count("Uses of UDP at once that a user, or an address without one, may have", "off", 256),
  udpStrict: toggle("Ask clients to say in advance which port their datagrams will come from", false),
  udpFullCone: toggle("Let anyone send datagrams to a client, not only whom it has sent one to", false),
  udpFragments: toggle(
    "Put fragmented datagrams together (FRAG of RFC 1928) instead of dropping them",
    false
  ),
  endDenied: toggle(
    "When the settings or the users file change, end sessions of users who are gone, and those that the policy " +
      "would deny now",
    false
  ),
  reportOnly: toggle("Deny nothing that the policy denies, and log what would have been denied", false),
  logDecisions: single<"auto" | "all" | "denied" | "none">({
    description:
      "Which requests' decisions are logged, with what decided them and why: auto is all where there are " +
      "rules, else denied",
    metavar: "WHICH",
    read: (text) => Parsers.literal(text, ["auto", "all", "denied", "none"]),
    expected: "one of auto, all, denied and none",
    default: "auto",
    defaultText: "auto"
  }),
  advertise: single<NetAddress.IpAddress | "bound">({
    description: "Address to send datagrams to, as clients are told; behind NAT another than the one bound",
    metavar: "ADDRESS",
    read: (text) => {
      if (text === "bound") return Option.some(text)
      return Option.map(Result.getSuccess(NetAddress.ipFromString(text)), (ip) => NetAddress.toCanonical(ip))
    },
    expected: "an IP address, or bound",
    default: "bound",
    defaultText: "bound"
  })
} as const

/** What the server goes by that has more structure than a text. */
export const structured = {
  users: {
    description:
      "More users: NAME:PASSWORD, or name, password or password-hash, groups, expires, networks and limits",
    form: Schemas.list(User.form, { canBeEmpty: true }),
    default: [] as ReadonlyArray<User.User>,
    defaultText: "none"
  },
  rules: {
    description:
      "Who may go where: the first rule whose conditions all hold decides; where there are rules, what none of " +
      "them allows is denied",
    form: Schemas.list(TargetFiles.ruleForm, { canBeEmpty: true }),
    default: [] as ReadonlyArray<Rule.Rule>,
    defaultText: "none, and everything is allowed"
  }
} as const satisfies Readonly<Record<string, Structured<unknown>>>

/** More than any machine has use for; what is one by mistake starts no flood of processes. */
const mostWorkers = 256

/** What the program around the server goes by. */
export const program = {
  workers: single<number | "auto">({
    description:
      "Processes that serve together, on as many cores; limits and bans hold for all of them as one; auto is as " +
      "many as there are cores; read at the start only",
    metavar: "COUNT",
    read: (text) =>
      text === "auto"
        ? Option.some(text)
        : Option.filter(Parsers.count(text), (count) => count <= mostWorkers),
    expected: `a whole number from 1 to ${mostWorkers}, or auto`,
    json: { anyOf: [{ type: "integer", minimum: 1, maximum: mostWorkers }, { enum: ["auto"] }] },
    default: 1,
    defaultText: "1"
  }),
  config: file(
    "Config file, YAML or JSON, whose keys are the flags of this list without the dashes; variables and flags " +
      "go before what it says"
  ),
  logLevel: single<LogLevel>({
    description: "Least level that is logged: trace, debug, info, warn, error or none",
    metavar: "LEVEL",
    read: (text) => Parsers.literal(text, ["trace", "debug", "info", "warn", "error", "none"]),
    expected: "one of trace, debug, info, warn, error and none",
    json: { enum: ["trace", "debug", "info", "warn", "error", "none"] },
    default: "info",
    defaultText: "info"
  }),
  logFormat: single<LogFormat>({
    description: "pretty for people, json for programs, auto chooses by whether the output is a terminal",
    metavar: "FORMAT",
    read: (text) => Parsers.literal(text, ["auto", "pretty", "json"]),
    expected: "one of auto, pretty and json",
    json: { enum: ["auto", "pretty", "json"] },
    default: "auto",
    defaultText: "auto"
  })
} as const

/** All that can be written as text, as flags and variables are. */
export const texts = { ...server, ...program } as const

/** How a setting is written in the config file. */
export const formOf = (setting: Setting<unknown>): Schemas.Form<unknown> => {
  const { read, separator, isSecret, default: initially } = setting
  const one =
    setting.form ??
    Schemas.text({
      ...setting,
      // What would be two in a variable is not one in a secret's own file.
      read: (text) => (isSecret && separator?.test(text) ? Option.none() : read(text))
    })
  return separator
    ? Schemas.list(one, { canBeEmpty: Array.isArray(initially) && initially.length === 0 })
    : one
}

/** The values of a table of settings. */
export type Values<Table extends Readonly<Record<string, { readonly default: unknown }>>> = {
  readonly [K in keyof Table]: Table[K]["default"]
}

/** The values where nothing else is said. */
export const defaults = <Table extends Readonly<Record<string, { readonly default: unknown }>>>(
  table: Table
): Values<Table> =>
  Object.fromEntries(Object.entries(table).map(([name, setting]) => [name, setting.default])) as Values<Table>

/** `handshakeTimeout` as a flag: `handshake-timeout`. */
export const flagName = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** `handshakeTimeout` as an environment variable: `SOCKS_HANDSHAKE_TIMEOUT`. */
export const variableName = (name: string): string =>
  `SOCKS_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
