/**
 * What the policy says of an access that a request asks for.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Config from "../server/Config.ts"
import * as Explaining from "../server/Explaining.ts"
import { type Explanation, Invalid, type Question } from "./Api.ts"

/** The decision of a server with these settings, and with these services of its app. */
export const explain = (
  values: Config.Values,
  question: Question,
  replacements: Parameters<typeof Explaining.answer>[3] = {}
): Effect.Effect<Explanation, Invalid> => {
  const {
    to,
    user,
    groups = [],
    client,
    listener,
    command = "connect",
    protocol = "socks5",
    at,
    address
  } = question
  const text = Option.fromUndefinedOr
  return Explaining.answer(
    values,
    {
      ...{ to: text(to), group: groups, client: text(client), listener: text(listener) },
      ...{ command, protocol, at: text(at), address: text(address) }
    },
    user,
    replacements
  ).pipe(
    Effect.scoped,
    Effect.mapBoth({
      onFailure: ({ message }) => new Invalid({ message }),
      onSuccess: ({ lines, code }) => ({ lines, verdict: verdicts[code] })
    })
  )
}

const verdicts = { 0: "allowed", 1: "denied", 3: "unknown" } as const
