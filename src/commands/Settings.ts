/**
 * The settings of the commands that clients can ask for.
 */
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"

export class CommandSettings extends Section.make<CommandSettings>()("effect-socks/commands/Settings", {
  bind: Setting.toggle(
    "Allow BIND: wait for one connection from a target, as FTP in active mode needs it",
    false
  )
}) {}
