/**
 * The program: settings in, a running server out, and commands about settings.
 */

import * as ConfigProvider from "effect/ConfigProvider"
import * as Console from "effect/Console"
import * as Argument from "effect/cli/Argument"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as AccessFlags from "./cli/AccessFlags.ts"
import * as AdminCommands from "./cli/AdminCommands.ts"
import * as Check from "./cli/Check.ts"
import * as Completion from "./cli/Completion.ts"
import * as Explain from "./cli/Explain.ts"
import * as HashPassword from "./cli/HashPassword.ts"
import * as Help from "./cli/Help.ts"
import * as Mistakes from "./cli/Mistakes.ts"
import { root } from "./cli/Root.ts"
import * as Serve from "./cli/Serve.ts"
import * as Settings from "./cli/Settings.ts"
import * as UsageFlags from "./cli/UsageFlags.ts"
import * as EditorSchema from "./config/EditorSchema.ts"

const check = Command.make("check", {}, () => Effect.flatMap(root, Check.run)).pipe(
  Command.withDescription(
    "Say what is wrong with the settings, or that nothing is, and start no server. " +
      "Exit codes: 0 the settings are right, 2 they are not"
  )
)

const explain = Command.make("explain", AccessFlags.flags, (asked) =>
  Effect.flatMap(root, (given) => Explain.run(given, asked))
).pipe(
  Command.withDescription(
    "Say whether a user may reach a target, and which rule decides that: --user NAME names the user. " +
      "Exit codes: 0 allowed, 1 denied, 2 the question or the settings are wrong, 3 the name has no address"
  )
)

const usage = Command.make("usage", UsageFlags.flags, (asked) =>
  Effect.flatMap(root, (given) =>
    Effect.flatMap(
      Effect.promise(() => import("./cli/Usage.ts")),
      (Usage) => Usage.run(given, asked)
    )
  )
).pipe(
  Command.withDescription(
    "Print what users have used, from the usage store of the settings: --user NAME names one. " +
      "Exit codes: 0 printed, 1 the store cannot be read, 2 the question or the settings are wrong"
  ),
  Command.withExamples([
    {
      command: "effect-socks usage --config socks.yaml --user alice --month 2026-11",
      description: "Print the days of a user in a month"
    }
  ])
)

const schema = Command.make("schema", {}, () =>
  Console.log(JSON.stringify(EditorSchema.make(Settings.table), null, 2))
).pipe(Command.withDescription("Print the JSON Schema of the config file, for editors"))

const others = [check, explain, usage, schema, HashPassword.command, ...AdminCommands.commands] as const

const help = Command.make(
  "help",
  {
    topic: Argument.Literals("topic", [
      ...[...Help.topics, ...others.map(({ name }) => name), ...Help.settings]
    ]).pipe(Argument.withDescription("A setting, a group of settings, all, or a command"), Argument.optional)
  },
  ({ topic }) => print(Option.match(topic, { onNone: shortHelp, onSome: longHelp }))
).pipe(Command.withDescription("Print a setting, the settings of a group, or all of them"))

const print = (lines: ReadonlyArray<string>) => Console.log(lines.join("\n"))

const shortHelp = (): ReadonlyArray<string> => Help.short(commands.map(({ name }) => name))

const longHelp = (topic: string) => Help.long(topic, width())

/** As wide as the terminal, up to what is easily read. */
const width = () => Math.max(40, Math.min(process.stdout.columns ?? 80, 100))

const commands = [...others, help] as const

/** `effect-socks`: serves until it is interrupted. */
export const command = root.pipe(
  Command.withHandler(Serve.run),
  Command.withSubcommands(commands),
  Command.withDescription("A SOCKS and HTTP proxy server")
)

/** Runs what these arguments say. */
export const run = (args: ReadonlyArray<string>, version: string) =>
  Command.runWith(command, { version })(asCommand(args))

/** `--help TOPIC` is `help TOPIC`, `help COMMAND` is `COMMAND --help`, and `--healthcheck` is a command. */
const asCommand = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const [asked = "", written = "-"] = args
  const about = Help.topicOf(written)
  if (args.includes("--healthcheck")) {
    return ["healthcheck", ...args.filter((arg) => arg !== "--healthcheck")]
  }
  if (!["help", "--help", "-h"].includes(asked) || about.startsWith("-")) return args
  return commands.some(({ name }) => name === about) ? [about, "--help"] : ["help", about]
}

/** How the command line behaves. */
export const behaviour = Layer.mergeAll(
  // So that an error says that a variable is empty, and not that it is not set.
  ConfigProvider.layer(ConfigProvider.fromEnv({ preserveEmptyStrings: true })),
  // `--log-level` is a setting like the others.
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, Completion.flag] }),
  // A command lists its own flags: those of the server would hide them.
  CliOutput.layer(CliOutput.defaultFormatter({ inheritedFlags: "none", globalFlags: "none" })),
  CliOutput.layerPresenter({
    present: (event) => {
      // A slip earns a sentence, not the whole help.
      if (event._tag === "InvalidInvocation") {
        return Console.error([...Mistakes.lines(event.errors), "See effect-socks --help."].join("\n"))
      }
      if (event._tag === "Version") return CliOutput.defaultPresenter.present(event)
      if (event.commandPath.length === 1) return print(shortHelp())
      const description = Help.wrapped(event.helpDoc.description, width() - 2, "").join("\n  ")
      const settings = Help.long(event.commandPath.at(-1)!, width()).map((line) => `\n${line}`)
      return Effect.andThen(
        CliOutput.defaultPresenter.present({ ...event, helpDoc: { ...event.helpDoc, description } }),
        settings.length === 0 ? Effect.void : Console.log(settings.join(""))
      )
    }
  })
)
