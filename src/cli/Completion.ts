/**
 * Completion scripts for shells. Those that Effect makes by itself repeat each setting
 * with its whole description for every command: hundreds of kilobytes.
 */
import * as Console from "effect/Console"
import type * as Command from "effect/cli/Command"
import * as Completions from "effect/cli/Completions"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Setting from "../config/Setting.ts"
import * as Help from "./Help.ts"
import * as Settings from "./Settings.ts"

/** `--completions SHELL`. */
export const flag = GlobalFlag.Action({
  flag: GlobalFlag.Completions.flag,
  run: (shell, { command }) =>
    Option.match(shell, {
      onNone: () => Effect.void,
      onSome: (shell) => Console.log(script(command, shell))
    })
})

/** The script: the settings where no command stands, and behind a command its own flags. */
export const script = (command: Command.Command.Any, shell: Completions.Shell): string => {
  const { subcommands, ...root } = Completions.fromCommand(command)
  const names = new Set(settings.map(({ name }) => name))
  return Completions.generate(command.name, shell, {
    ...root,
    flags: settings,
    subcommands: subcommands.map((each) => ({
      ...each,
      flags: each.flags.filter(({ name }) => !names.has(name))
    }))
  })
}

const settings: ReadonlyArray<Completions.FlagDescriptor> = Object.entries(Setting.texts(Settings.table)).map(
  ([name, setting]) => ({
    name: Setting.flagName(name),
    aliases: [],
    description: Help.firstSentence(setting.description),
    type: typeOf(setting)
  })
)

function typeOf({ isSwitch, completion }: Setting.Setting<unknown>): Completions.FlagType {
  if (isSwitch) return { _tag: "Boolean" }
  if (completion === undefined) return { _tag: "String" }
  if (typeof completion === "string") return { _tag: "Path", pathType: completion }
  return { _tag: "Choice", values: completion }
}
