/**
 * Tokens of a session rate: the member's side. The buckets are at the seat. A member
 * asks for a token, and gets some ahead where the seat has leased them itself.
 */
import * as Effect from "effect/Effect"
import * as Requests from "../base/Requests.ts"
import type { Grant } from "./SharedCounters.ts"

/**
 * To the seat: requests a token of a bucket that gets `limit` tokens a second. Some may come ahead with it, unless an earlier
 * request for the bucket has no answer yet.
 */
export interface TokenRequest {
  readonly _tag: "token"
  readonly id: number
  readonly key: string
  readonly limit: number
  readonly mayHaveMore: boolean
}

/** To the member: the answer to a request. `wait` is 0 for a token, or else the milliseconds until there is one. */
export interface TokenAnswer {
  readonly _tag: "token"
  readonly id: number
  readonly wait: number
  readonly ahead?: TokensAhead
}

/** Tokens beside the one that was asked for. They may be used until a time of the machine's clock that nobody sets. */
interface TokensAhead {
  readonly key: string
  readonly count: number
  readonly until: number
}

export interface RateTokens {
  /** Takes a token that the seat has granted, or granted ahead, and returns 0; or returns 1, the least wait in milliseconds. */
  readonly take: (key: string) => number
  /** Requests a token. */
  readonly ask: (key: string, limit: number) => Effect.Effect<Grant>
  readonly receive: (token: TokenAnswer) => void
  /** Drops tokens that were not taken. To be called once a second. */
  readonly sweep: () => void
}

/** `now` gives milliseconds of the clock by which tokens ahead end. */
export const make = (send: (wish: TokenRequest) => void, now: () => number = () => 0): RateTokens => {
  const granted = new Map<string, number>()
  const ahead = new Map<string, { count: number; readonly until: number }>()
  /** Buckets with a request that may have more. */
  const asked = new Set<string>()
  const requests = Requests.make<"seat", number>()
  const request = (key: string, limit: number, mayHaveMore: boolean) =>
    requests
      .ask("seat", (id) => send({ _tag: "token", id, key, limit, mayHaveMore }))
      .pipe(
        Effect.map((wait) =>
          wait > 0 ? { wait } : { release: () => void granted.set(key, (granted.get(key) ?? 0) + 1) }
        ),
        Effect.orElseSucceed(() => ({ wait: 0 }))
      )
  return {
    take: (key) => {
      const tokens = granted.get(key) ?? 0
      if (tokens === 0) {
        const more = ahead.get(key)
        if (more === undefined || more.count === 0 || now() >= more.until) return 1
        more.count--
        return 0
      }
      if (tokens === 1) granted.delete(key)
      else granted.set(key, tokens - 1)
      return 0
    },
    ask: (key, limit) =>
      Effect.suspend(() => {
        if (asked.has(key)) return request(key, limit, false)
        asked.add(key)
        return Effect.ensuring(
          request(key, limit, true),
          Effect.sync(() => asked.delete(key))
        )
      }),
    receive: ({ id, wait, ahead: more }) => {
      if (more) ahead.set(more.key, { count: more.count, until: more.until })
      requests.answer("seat", id, wait)
    },
    sweep: () => {
      granted.clear()
      for (const [key, { until }] of ahead) if (now() >= until) ahead.delete(key)
    }
  }
}
