/**
 * The settings of the program around the server, and all settings together, as they are read from flags,
 * environment variables and the config file.
 */
import { AdminSettings } from "../admin/Settings.ts"
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"
import * as Sources from "../config/Sources.ts"
import { FleetSettings } from "../fleet/Settings.ts"
import * as Config from "../server/Config.ts"
import { WorkerSettings } from "../workers/Settings.ts"

export class ProgramSettings extends Section.make<ProgramSettings>()("effect-socks/cli/Settings", {
  config: {
    ...Setting.file(
      "Config file, YAML or JSON. Its keys are the flags without the dashes. Flags and variables take precedence"
    ),
    isConfigFile: true
  },
  logLevel: Setting.word({
    description: "Lowest level that is logged: trace, debug, info, warn, error, none",
    metavar: "LEVEL",
    words: ["trace", "debug", "info", "warn", "error", "none"],
    default: "info"
  }),
  logFormat: Setting.startOnly(
    Setting.word({
      description:
        "Format of the log: pretty for people, json for programs, auto by whether the output is a " +
        "terminal",
      metavar: "FORMAT",
      words: ["auto", "pretty", "json"],
      default: "auto"
    })
  ),
  logFile: Setting.startOnly(
    Setting.file(
      "File that the log is appended to, in place of standard output. The file is opened again at SIGHUP, and " +
        "within a second after it was renamed or removed"
    )
  )
}) {}

/** The sections of the program, in the order in which settings are listed. */
export const sections = [
  ...Config.sections,
  AdminSettings,
  WorkerSettings,
  FleetSettings,
  ProgramSettings
] as const

/** Every setting. */
export const table = Section.table(sections)

/** The values of all settings, and their files. */
export type Read = Sources.Read<Section.Values<typeof sections>>

/** Reads every setting. Fails with all mistakes in flags, environment variables and the config file. */
export const read = (given: Sources.Given) => Sources.read(table, given)
