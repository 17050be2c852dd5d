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
import type { Rules } from "./RuleTable.ts"
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
      "Address to listen on: HOST:PORT (port 0 lets the system choose a free port), unix:/path, or " +
      "systemd for the sockets that systemd passes (systemd:NAME for those with this " +
      "FileDescriptorName). tls: in front of the address puts TLS on the listener. Options behind it, " +
      "as in ?protocols=socks5+http&udp=false, hold for this listener only. A tls: listener relays no " +
      "UDP unless it has udp=true. With HOST:PORT?wait=30s the start waits until this machine has the " +
      "address",
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
    description: "User who may log in. With at least one user, every client must give a password",
    metavar: "NAME:PASSWORD",
    read: User.fromString,
    expected: "NAME:PASSWORD, each 1 to 255 bytes, the name without a colon",
    default: [],
    defaultText: "nobody, and no password is asked",
    separator: /\n+/,
    isSecret: true
  }),
  usersFile: file(
    "File with more users: lines of NAME:HASH, as htpasswd -B (bcrypt) or hash-password (scrypt) make " +
      "them, or a list of users in .yaml or .json. The file is read again when it changes"
  ),
  authUrl: single<string | undefined>({
    description:
      "HTTP service that decides about users who are not listed: it gets POST {user, password, client} " +
      "as JSON, and answers 200 {groups, limits, ttl} or 401",
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
    description: "Bearer token for the service of --auth-url",
    metavar: "TOKEN",
    read: (text) => (/^[\w.~+/-]+=*$/.test(text) ? Option.some(Redacted.make(text)) : Option.none()),
    expected: "a bearer token (RFC 6750): letters, digits and - . _ ~ + /",
    default: undefined,
    defaultText: "none",
    isSecret: true
  }),
  trust: networks(
    "Network whose clients need no password; they may still give one. With this and no users, clients " +
      "from elsewhere are refused"
  ),
  banAfter: count(
    "Number of different wrong logins after which a client network is banned: an IPv4 address or an " +
      "IPv6 /64. A /56 is banned after four times as many, a /48 after sixteen times as many",
    "off",
    10
  ),
  banWindow: duration({
    description: "Time without a failed login after which earlier ones are forgotten",
    default: "10m"
  }),
  banTime: duration({
    description:
      "Duration of a first ban. Each further ban of the same network lasts twice as long, up to a day",
    default: "10m"
  }),
  bansFile: file(
    "File that keeps bans over a restart, one JSON object a line. Deleting a line lifts the ban. " +
      "FILE.known keeps which user logged in from which network"
  ),
  open: toggle("Allow everyone: listen beyond loopback without asking for a password", false),
  tlsCert: file("Certificate of the tls: listeners, followed by its chain (PEM)"),
  tlsKey: file("Private key of that certificate (PEM, without a passphrase)"),
  tlsClientCa: file(
    "Certificate authority of client certificates (PEM). With this, clients of tls: listeners must " +
      "have a certificate; its common name is the user, and no password is asked"
  ),
  tlsClientCrl: file(
    "Revocation lists of client certificates (PEM), one for each authority. Without a valid list of " +
      "its authority a certificate is refused. The file is read again when it changes"
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
    "Network of proxies in front of this server. Their connections must begin with a PROXY header " +
      "(version 1 or 2), which names the client. A header from elsewhere is never read"
  ),
  privateTargets: single<"auto" | "allow" | "deny">({
    description:
      "Whether clients may go to private, loopback and other special addresses, and to the addresses of " +
      "this machine. auto allows it only if nobody but this machine can connect: every listener is on " +
      "loopback, or is a unix: socket of mode 0600",
    metavar: "WHEN",
    read: (text) => Parsers.literal(text, ["auto", "allow", "deny"]),
    expected: "one of auto, allow and deny",
    default: "auto",
    defaultText: "auto"
  }),
  allowTarget: many<AllowTarget.AllowTarget>({
    description:
      "Target that is allowed although its address is special: a network, an address, a name, *.SUFFIX " +
      "or *, with :PORT or :FIRST-LAST behind it if wanted (IPv6 in brackets then). A name or * opens " +
      "no loopback or link-local address and no address of this machine, unless it is localhost or has " +
      "local: in front. A network opens no address of this machine but loopback and link-local ones",
    metavar: "TARGET",
    read: AllowTarget.fromString,
    expected: `a target such as ${targetForms}, local: only before a name or *`,
    default: [],
    defaultText: "none",
    separator: /[\s,]+/
  }),
  denyTarget: many<TargetPattern.TargetPattern | "none">({
    description:
      "Target that is denied, whatever else allows it. *:25 (mail) is denied beside the targets given " +
      "here, unless none is among them",
    metavar: "TARGET",
    read: (text) => (text === "none" ? Option.some(text) : TargetPattern.fromString(text)),
    expected: `a target such as ${targetForms}, nor none`,
    // Mail servers: what spam goes through. The policy keeps it beside others.
    default: [{ host: { _tag: "Any" }, ports: [25, 25] }],
    defaultText: "*:25",
    separator: /[\s,]+/
  }),
  blurFailures: toggle(
    "Answer every failed connection alike (01 or 502), so that clients cannot explore a network by " +
      "the replies",
    false
  ),
  handshakeTimeout: duration({
    description: "Time limit for PROXY header, TLS, greeting, authentication and request together",
    default: "10s"
  }),
  resolveTimeout: duration({
    description: "Time limit for finding the addresses of a name",
    default: "5s"
  }),
  connectTimeout: duration({
    description: "Time limit for connecting to a target, all its addresses together",
    default: "10s"
  }),
  idleTimeout: duration({
    description: "Time without any bytes after which a session is ended",
    default: "15m",
    canBeOff: true
  }),
  halfCloseTimeout: duration({
    description: "The same for a session of which one side has finished sending",
    default: "1m",
    canBeOff: true
  }),
  drainTimeout: duration({
    description: "Time that sessions have to finish when the server stops",
    default: "10s"
  }),
  bind: toggle("Allow BIND: wait for one connection from a target, as FTP in active mode needs it", false),
  bindTimeout: duration({
    description: "Time limit for the connection that a BIND waits for",
    default: "2m"
  }),
  maxHandshakes: single<Parsers.EarlyDrop | "auto">({
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
  maxSessions: count(
    "Limit of concurrent sessions in all. auto follows from the limit on open files",
    "auto",
    "auto"
  ),
  maxSessionsPerClient: count(
    "Limit of concurrent sessions of a client: an IPv4 address, or an IPv6 /64",
    "off",
    "off"
  ),
  maxSessionsPerUser: count("Limit of concurrent sessions of a user", "off", "off"),
  sessionRate: count(
    "Limit of new sessions a second of a user, or of a client without one. Each HTTP request counts",
    "off",
    "off"
  ),
  maxLifetime: duration({
    description: "Longest duration of a session, however busy it is",
    default: "off",
    canBeOff: true
  }),
  dailyQuota: quota("Bytes that a user may transfer in a day (UTC), both directions together"),
  monthlyQuota: quota("Bytes that a user may transfer in a month (UTC), both directions together"),
  stateDir: {
    ...file(
      "Directory that keeps used quotas over a restart, and, without --bans-file, which user logged in " +
        "from which network. Read at the start only"
    ),
    metavar: "DIR",
    expected: "the path of a directory"
  },
  bandwidthSession: bandwidth(
    "Bandwidth limit of each session in bytes a second, from the client and to it: 1MiB/10MiB, or " +
      "10MiB for each direction"
  ),
  bandwidthUser: bandwidth(
    "Bandwidth limit in bytes a second of all sessions of a user, or of a client without one, " + "together"
  ),
  bandwidthTotal: bandwidth("Bandwidth limit in bytes a second of all sessions together"),
  udp: toggle("Relay datagrams (UDP ASSOCIATE), except for clients of tls: listeners without udp=true", true),
  udpPorts: single<Parsers.PortRange | "any">({
    description: "Range of ports for the datagrams of clients. any leaves the choice to the system",
    metavar: "FIRST-LAST",
    read: (text) => (text === "any" ? Option.some(text) : Parsers.portRange(text)),
    expected: "a range of ports such as 40000-40999, or any",
    json: { type: "string", pattern: "^[1-9]\\d{0,4}-[1-9]\\d{0,4}$|^any$" },
    default: "any",
    defaultText: "any"
  }),
  udpIdleTimeout: duration({
    description: "Time without a datagram after which an association is ended, with its connection",
    default: "60s",
    canBeOff: true
  }),
  udpRate: count("Limit of datagrams a second from a client. Datagrams beyond it are dropped", "off", "off"),
  udpAssociations: count(
    "Limit of concurrent associations of a user, or of a client without one",
    "off",
    256
  ),
  udpStrict: toggle("Require clients to declare the port that their datagrams come from", false),
  udpFullCone: toggle(
    "Pass datagrams from any sender on to the client, not only from targets that it has sent to",
    false
  ),
  udpFragments: toggle("Reassemble fragmented datagrams (FRAG of RFC 1928) instead of dropping them", false),
  endDenied: toggle(
    "End sessions that new settings or a new users file would no longer allow: those of removed " +
      "users, and those that the policy now denies",
    false
  ),
  reportOnly: toggle("Deny nothing, and log what the policy would have denied", false),
  logDecisions: single<"auto" | "all" | "denied" | "none">({
    description:
      "Decisions that are logged, with the rule and the reason. auto is all where there are rules, else " +
      "denied",
    metavar: "WHICH",
    read: (text) => Parsers.literal(text, ["auto", "all", "denied", "none"]),
    expected: "one of auto, all, denied and none",
    default: "auto",
    defaultText: "auto"
  }),
  advertise: single<NetAddress.IpAddress | "bound">({
    description:
      "Address that clients are told to send their datagrams to. Behind NAT it differs from the bound " +
      "one",
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
      "Rules of who may go where: the first rule whose conditions all hold decides. With rules, what " +
      "none of them allows is denied",
    form: Schemas.list(TargetFiles.ruleForm, { canBeEmpty: true }),
    default: [] as Rules,
    defaultText: "none, and everything is allowed"
  }
} as const satisfies Readonly<Record<string, Structured<unknown>>>

/** More than any machine has use for; what is one by mistake starts no flood of processes. */
const mostWorkers = 256

/** What the program around the server goes by. */
export const program = {
  workers: single<number | "auto">({
    description:
      "Number of processes that serve together. Limits and bans hold for all of them as one. auto is " +
      "one for each core. Read at the start only",
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
    "Config file, YAML or JSON. Its keys are the flags of this list without the dashes. Flags and " +
      "variables take precedence"
  ),
  logLevel: single<LogLevel>({
    description: "Lowest level that is logged: trace, debug, info, warn, error or none",
    metavar: "LEVEL",
    read: (text) => Parsers.literal(text, ["trace", "debug", "info", "warn", "error", "none"]),
    expected: "one of trace, debug, info, warn, error and none",
    json: { enum: ["trace", "debug", "info", "warn", "error", "none"] },
    default: "info",
    defaultText: "info"
  }),
  logFormat: single<LogFormat>({
    description:
      "Format of the log: pretty for people, json for programs, auto by whether the output is a " +
      "terminal",
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
