/**
 * The flags of the command `explain`: the access that is judged.
 */
import * as Flag from "effect/cli/Flag"
import * as Commands from "../config/conditions/Commands.ts"
import * as Parsers from "../config/Parsers.ts"

const text = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.optional)

/** The flags of `effect-socks explain`, beside those of the settings. */
export const flags = {
  to: text("to", "HOST:PORT", "Target that is asked for; left out for UDP ASSOCIATE itself"),
  group: Flag.String("group").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("Group of the user; more than once for several"),
    Flag.atLeast(0)
  ),
  client: text("client", "ADDRESS", "Where the client is (default: 127.0.0.1)"),
  listener: text("listener", "ADDRESS", "Where it came in, as the log has it (default: 127.0.0.1:1080)"),
  command: Flag.Literals("command", Commands.names).pipe(
    Flag.withDescription("What is asked for (default: connect)"),
    Flag.withDefault("connect" as const)
  ),
  protocol: Flag.Literals("protocol", Parsers.protocols).pipe(
    Flag.withDescription("How it is asked (default: socks5)"),
    Flag.withDefault("socks5" as const)
  ),
  at: text("at", "TIME", "When, such as 2026-11-22T10:00 (default: now)"),
  address: text("address", "ADDRESS", "Address of the target, instead of resolving its name")
}
