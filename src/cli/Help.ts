/**
 * The help: the settings that matter on one page, and all settings by groups.
 */
import { AdminSettings } from "../admin/Settings.ts"
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"
import { FleetSettings } from "../fleet/Settings.ts"
import * as Config from "../server/Config.ts"
import { WorkerSettings } from "../workers/Settings.ts"
import { ProgramSettings } from "./Settings.ts"

const [
  listeners,
  server,
  auth,
  bans,
  policy,
  routes,
  network,
  names,
  transport,
  commands,
  limits,
  usage,
  udp,
  metrics
] = Config.sections

/** A group of settings, which `help NAME` prints. Every section is in one. */
export interface Group {
  readonly name: string
  readonly title: string
  readonly sections: ReadonlyArray<Section.Any>
}

export const groups: ReadonlyArray<Group> = [
  { name: "listeners", title: "Where the server listens", sections: [listeners] },
  { name: "users", title: "Who may use the server", sections: [auth] },
  { name: "targets", title: "Where clients may go", sections: [policy, routes] },
  { name: "limits", title: "How many, how fast, how much", sections: [limits, usage] },
  { name: "bans", title: "Bans, and what is kept over a restart", sections: [bans] },
  { name: "connections", title: "Connections to targets", sections: [network, commands] },
  { name: "names", title: "Names of targets", sections: [names] },
  { name: "datagrams", title: "Datagrams", sections: [udp] },
  { name: "server", title: "The server as a whole", sections: [server, transport, metrics] },
  { name: "admin", title: "To see and steer the server", sections: [AdminSettings] },
  { name: "fleet", title: "Many machines, one set of limits", sections: [FleetSettings] },
  { name: "program", title: "The program", sections: [WorkerSettings, ProgramSettings] }
]

/** The groups that the command `help` takes, and all of them. */
export const topics: ReadonlyArray<string> = ["all", ...groups.map(({ name }) => name)]

/** The settings that it takes, as flags without dashes. */
export const settings: ReadonlyArray<string> = groups.flatMap(({ sections }) =>
  Object.keys(Section.table(sections)).map(Setting.flagName)
)

/** A topic as people write it: `--listen`, `SOCKS_LISTEN` and `routes:` are settings, too. */
export const topicOf = (text: string): string => {
  const name = text
    .replace(/^(?:--|SOCKS_)|:$/g, "")
    .toLowerCase()
    .replaceAll("_", "-")
  return settings.includes(name) ? name : text
}

/** The settings in the short help. */
const usual: ReadonlySet<string> = new Set([
  "listen",
  "tls",
  "tlsCert",
  "tlsKey",
  "user",
  "usersFile",
  "allowTarget",
  "upstream",
  "bandwidthUser",
  "workers",
  "config",
  "logLevel"
])

/** One page: 25 lines of up to 80 characters, wherever the sentences allow it. */
export const short = (commands: ReadonlyArray<string>): ReadonlyArray<string> => [
  "effect-socks: a SOCKS and HTTP proxy server, by default at 127.0.0.1:1080",
  "",
  "  effect-socks [SETTINGS]             serve until Ctrl-C",
  // Of help there is a line below.
  ...wrapped(commands.filter((name) => name !== "help").join(", "), 100, " ".repeat(38)).map((line, index) =>
    index === 0 ? `  effect-socks COMMAND [SETTINGS]     ${line.trimStart()}` : line
  ),
  ...groups.flatMap(({ title, sections }) => {
    const settings = textsOf(sections).filter(([name]) => usual.has(name))
    return settings.length === 0 ? [] : [title, ...settings.map(row)]
  }),
  "",
  "  effect-socks help TOPIC explains a command, a setting, all settings (all), or a group of settings:",
  ...wrapped(topics.slice(1).join(", "), 78, "").map((line) => `  ${line}`)
]

/**
 * The settings of a group, of all groups, or one setting, with their whole descriptions, in lines of this width; none for
 * what is none of these.
 */
export const long = (topic: string, width: number): ReadonlyArray<string> => {
  const isChosen = (name: string, key: string) =>
    topics.includes(topic) ? topic === "all" || topic === name : topic === Setting.flagName(key)
  return groups
    .map(({ name, title, sections }) => ({
      title: `${title} (${name})`,
      settings: Object.entries(Section.table(sections)).filter(([key]) => isChosen(name, key))
    }))
    .filter(({ settings }) => settings.length > 0)
    .flatMap(({ title, settings }, index) => [
      ...(index === 0 ? [] : [""]),
      title,
      ...settings.flatMap(([name, setting]) => ["", ...entry(name, setting, width)])
    ])
}

const textsOf = (sections: ReadonlyArray<Section.Any>) =>
  Object.entries(Setting.texts(Section.table(sections)))

const flagOf = (name: string, { metavar }: Setting.Setting<unknown>) =>
  `--${Setting.flagName(name)} ${metavar}`.trim()

const row = ([name, setting]: readonly [string, Setting.Setting<unknown>]): string =>
  `  ${flagOf(name, setting).padEnd(27)} ${firstSentence(setting.description)}`

/** The first sentence of a description, for lists. */
export const firstSentence = (description: string): string => description.split(". ", 1)[0]!

const entry = (name: string, setting: Setting.Table[string], width: number): ReadonlyArray<string> => {
  const key = Setting.flagName(name)
  const origin = Setting.isText(setting)
    ? `${Setting.variableName(name)}, default ${setting.defaultText}`
    : `Only in the config file, default ${setting.defaultText}`
  const head = Setting.isText(setting) ? flagOf(name, setting) : `${key}:`
  return [`  ${head}`, ...wrapped(`${setting.description}.`, width, "      "), `      ${origin}`]
}

/** The words of a text in lines of at most this width, each with this in front. */
export const wrapped = (text: string, width: number, indent: string): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(" ")) {
    if (line !== "" && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line)
      line = word
    } else line = line === "" ? word : `${line} ${word}`
  }
  return [...lines, indent + line]
}
