/**
 * Tokens of buckets that the seat has: a member asks for each.
 */
import * as Effect from "effect/Effect"
import * as Requests from "../base/Requests.ts"
import type { Grant } from "./SharedCounters.ts"

/** To the seat: wants a token of a bucket that gets so many a second. */
export interface Wish {
  readonly _tag: "token"
  readonly id: number
  readonly key: string
  readonly limit: number
}

/** To the member: how many milliseconds there are to wait for one; 0 if it has it. */
export interface Token {
  readonly _tag: "token"
  readonly id: number
  readonly wait: number
}

export interface RateTokens {
  /** Takes one that is here, and returns 0; or how long to wait at least, in milliseconds. */
  readonly take: (key: string) => number
  readonly ask: (key: string, limit: number) => Effect.Effect<Grant>
  readonly receive: (token: Token) => void
  /** Forgets tokens that were not taken within their second. */
  readonly sweep: () => void
}

export const make = (send: (wish: Wish) => void): RateTokens => {
  const here = new Map<string, number>()
  const requests = Requests.make<"seat", number>()
  return {
    take: (key) => {
      const tokens = here.get(key) ?? 0
      if (tokens === 0) return 1
      if (tokens === 1) here.delete(key)
      else here.set(key, tokens - 1)
      return 0
    },
    ask: (key, limit) =>
      requests
        .ask("seat", (id) => send({ _tag: "token", id, key, limit }))
        .pipe(
          Effect.map((wait) =>
            wait > 0 ? { wait } : { release: () => void here.set(key, (here.get(key) ?? 0) + 1) }
          ),
          Effect.orElseSucceed(() => ({ wait: 0 }))
        ),
    receive: ({ id, wait }) => void requests.answer("seat", id, wait),
    sweep: () => here.clear()
  }
}
