/**
 * The program: settings in, a running server out, and commands about settings.
 */

import * as ConfigProvider from "effect/ConfigProvider"
import * as Console from "effect/Console"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as AccessFlags from "./cli/AccessFlags.ts"
import * as Check from "./cli/Check.ts"
import * as Explain from "./cli/Explain.ts"
import * as HashPassword from "./cli/HashPassword.ts"
import * as Serve from "./cli/Serve.ts"
import * as Settings from "./cli/Settings.ts"
import * as EditorSchema from "./config/EditorSchema.ts"
import * as Sources from "./config/Sources.ts"

const root = Command.make("effect-socks").pipe(Command.withSharedFlags(Sources.flags(Settings.table)))

const check = Command.make("check", {}, () => Effect.flatMap(root, Check.run)).pipe(
  Command.withDescription("Say what is wrong with the settings, or that nothing is, and start no server")
)

const explain = Command.make("explain", AccessFlags.flags, (asked) =>
  Effect.flatMap(root, (given) => Explain.run(given, asked))
).pipe(
  Command.withDescription(
    "Say whether a user may reach a target, and which rule decides that: --user NAME names the user"
  )
)

const schema = Command.make("schema", {}, () =>
  Console.log(JSON.stringify(EditorSchema.make(Settings.table), null, 2))
).pipe(Command.withDescription("Print the JSON Schema of the config file, for editors"))

/** `effect-socks`: serves until it is interrupted. */
export const command = root.pipe(
  Command.withHandler(Serve.run),
  Command.withSubcommands([check, explain, schema, HashPassword.command]),
  Command.withDescription("A SOCKS and HTTP proxy server"),
  Command.withExamples([
    { command: "effect-socks", description: "Serve this machine on 127.0.0.1:1080" },
    {
      command: "effect-socks --listen 0.0.0.0:1080 --user alice:secret",
      description: "Serve others, who have to give a password"
    },
    { command: "effect-socks --config effect-socks.yaml", description: "Serve as a file says" }
  ])
)

/** How the command line behaves. */
export const behaviour = Layer.mergeAll(
  // So that an error says that a variable is empty, and not that it is not set.
  ConfigProvider.layer(ConfigProvider.fromEnv({ preserveEmptyStrings: true })),
  // `--log-level` is a setting like the others.
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
  // A slip earns a sentence, not the whole help.
  CliOutput.layerPresenter({
    present: (event) =>
      event._tag === "InvalidInvocation"
        ? Console.error(`${event.errors.map(({ message }) => message).join("\n")}\nSee effect-socks --help.`)
        : CliOutput.defaultPresenter.present(event)
  })
)
