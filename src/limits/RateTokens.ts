/**
 * Tokens of buckets that the primary has: a worker asks for each.
 */
import type { Grant } from "./SharedCounters.ts"

/** To the primary: wants a token of a bucket that gets so many a second. */
export interface Wish {
  readonly _tag: "token"
  readonly id: number
  readonly key: string
  readonly limit: number
}

/** To the worker: how many milliseconds there are to wait for one; 0 if it has it. */
export interface Token {
  readonly _tag: "token"
  readonly id: number
  readonly wait: number
}

export interface RateTokens {
  /** Takes one that is here, and returns 0; or how long to wait at least, in milliseconds. */
  readonly take: (key: string) => number
  readonly ask: (key: string, limit: number, answer: (more: Grant) => void) => void
  readonly receive: (token: Token) => void
  /** Forgets tokens that were not taken within their second. */
  readonly sweep: () => void
}

export const make = (send: (wish: Wish) => void): RateTokens => {
  const here = new Map<string, number>()
  const asked = new Map<number, { readonly key: string; readonly answer: (more: Grant) => void }>()
  let count = 0
  return {
    take: (key) => {
      const tokens = here.get(key) ?? 0
      if (tokens === 0) return 1
      if (tokens === 1) here.delete(key)
      else here.set(key, tokens - 1)
      return 0
    },
    ask: (key, limit, answer) => {
      const id = ++count
      asked.set(id, { key, answer })
      send({ _tag: "token", id, key, limit })
    },
    receive: ({ id, wait }) => {
      const { key, answer } = asked.get(id)!
      asked.delete(id)
      answer(wait > 0 ? { wait } : { release: () => void here.set(key, (here.get(key) ?? 0) + 1) })
    },
    sweep: () => here.clear()
  }
}
