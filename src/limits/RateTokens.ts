/**
 * Tokens of a session rate: the member's side. The buckets are at the seat, and a
 * member asks for each token.
 */
import * as Effect from "effect/Effect"
import * as Requests from "../base/Requests.ts"
import type { Grant } from "./SharedCounters.ts"

/** To the seat: requests a token of a bucket that gets `limit` tokens a second. */
export interface TokenRequest {
  readonly _tag: "token"
  readonly id: number
  readonly key: string
  readonly limit: number
}

/** To the member: the answer to a request. `wait` is 0 for a token, or else the milliseconds until there is one. */
export interface TokenAnswer {
  readonly _tag: "token"
  readonly id: number
  readonly wait: number
}

export interface RateTokens {
  /** Takes a token that the seat has granted, and returns 0; or returns 1, the least wait in milliseconds. */
  readonly take: (key: string) => number
  /** Requests a token. */
  readonly ask: (key: string, limit: number) => Effect.Effect<Grant>
  readonly receive: (token: TokenAnswer) => void
  /** Drops tokens that were not taken. To be called once a second. */
  readonly sweep: () => void
}

export const make = (send: (wish: TokenRequest) => void): RateTokens => {
  const granted = new Map<string, number>()
  const requests = Requests.make<"seat", number>()
  return {
    take: (key) => {
      const tokens = granted.get(key) ?? 0
      if (tokens === 0) return 1
      if (tokens === 1) granted.delete(key)
      else granted.set(key, tokens - 1)
      return 0
    },
    ask: (key, limit) =>
      requests
        .ask("seat", (id) => send({ _tag: "token", id, key, limit }))
        .pipe(
          Effect.map((wait) =>
            wait > 0 ? { wait } : { release: () => void granted.set(key, (granted.get(key) ?? 0) + 1) }
          ),
          Effect.orElseSucceed(() => ({ wait: 0 }))
        ),
    receive: ({ id, wait }) => void requests.answer("seat", id, wait),
    sweep: () => granted.clear()
  }
}
