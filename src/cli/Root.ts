/**
 * The command line around every command: the flags of all settings.
 */
import * as Command from "effect/cli/Command"
import * as Sources from "../config/Sources.ts"
import * as Settings from "./Settings.ts"

export const root = Command.make("effect-socks").pipe(Command.withSharedFlags(Sources.flags(Settings.table)))
