/**
 * The access that `explain` judges, from texts: the flags of the command, or the fields of a request to the admin API.
 */
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Commands from "../config/conditions/Commands.ts"
import type * as Parsers from "../config/Parsers.ts"
import { BadFile, BadSetting, BadSettings } from "../Errors.ts"
import type { Access } from "../policy/Access.ts"
import * as Target from "../wire/Target.ts"
import { printable } from "../wire/Text.ts"

export interface AccessQuestion {
  readonly access: Access
  /** The address to judge; undefined for the addresses of the target. */
  readonly address: NetAddress.IpAddress | undefined
  /** Milliseconds since the epoch; undefined for the present time. */
  readonly at: number | undefined
}

/** The texts, by the names of the flags. */
export interface Given {
  readonly to: Option.Option<string>
  readonly group: ReadonlyArray<string>
  readonly client: Option.Option<string>
  readonly listener: Option.Option<string>
  readonly command: Commands.Command
  readonly protocol: Parsers.ProtocolName
  readonly at: Option.Option<string>
  readonly address: Option.Option<string>
}

/** The access of these texts by the user of this name; without a name, by a client without a user. */
export const read = Effect.fnUntraced(function* (
  given: Given,
  user?: string
): Effect.fn.Return<AccessQuestion, BadSetting | BadSettings> {
  const target = yield* parse("--to", given.to, targetFrom, "HOST:PORT, such as example.com:443")
  const client = yield* parse("--client", given.client, addressFrom, "an IP address")
  const address = yield* parse("--address", given.address, addressFrom, "an IP address")
  const at = yield* parse("--at", given.at, timeFrom, "a time such as 2026-11-22T10:00")
  if (target === undefined && given.command !== "associate") {
    const reason = "--to is missing: it names the target, HOST:PORT, such as example.com:443"
    return yield* new BadSettings({ errors: [new BadFile({ reason })] })
  }
  return {
    access: {
      identity: {
        user: user === undefined ? undefined : printable(user),
        groups: given.group
      },
      client: client ?? NetAddress.ipv4Loopback,
      listener: Option.getOrElse(given.listener, () => "127.0.0.1:1080"),
      command: given.command.toUpperCase() as Access["command"],
      protocol: given.protocol.toUpperCase() as Access["protocol"],
      target
    },
    address,
    at
  }
})

const parse = <A>(
  setting: string,
  given: Option.Option<string>,
  from: (text: string) => A | undefined,
  expected: string
): Effect.Effect<A | undefined, BadSetting> => {
  if (Option.isNone(given)) return Effect.undefined
  const value = from(given.value)
  return value === undefined
    ? Effect.fail(new BadSetting({ setting, value: `"${printable(given.value)}"`, expected }))
    : Effect.succeed(value)
}

const addressFrom = (text: string): NetAddress.IpAddress | undefined =>
  Option.getOrUndefined(
    Option.map(Result.getSuccess(NetAddress.ipFromString(text)), (ip) => NetAddress.toCanonical(ip))
  )

/** Parses a target in the same way as the target of a client. */
const targetFrom = (text: string): Target.Target | undefined =>
  Option.getOrUndefined(
    Option.flatMap(Result.getSuccess(Host.hostPortFromString(text)), ({ host, port }) =>
      Result.getSuccess(Target.fromName(new TextEncoder().encode(Host.formatHost(host)), port))
    )
  )

/** Parses a time. Without an offset, the time is local. */
const timeFrom = (text: string): number | undefined => {
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?$/.test(text)
  const time = isTime ? Date.parse(text) : Number.NaN
  return Number.isNaN(time) ? undefined : time
}
