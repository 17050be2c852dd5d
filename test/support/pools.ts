/**
 * A server on a network in memory whose targets are behind a pool of three members.
 */
import * as Effect from "effect/Effect"
import type { RouteOptions, ServerOptions } from "../../src/library/ServerOptions.ts"
import { Network, type UpstreamOptions, upstream } from "../../src/testing/index.ts"
import { greeting, request } from "./messages.ts"
import { settled } from "./streams.ts"

export const names = ["a", "b", "c"] as const
export const place = (name: string) => `192.0.2.${names.indexOf(name as "a") + 1}:1080`

/** A server whose targets are behind these members, each of which says its name in the place of a target. */
export const pool = (
  options: Omit<RouteOptions, "name" | "members">,
  settings: ServerOptions = {}
): ServerOptions => ({
  routes: {
    name: "pool",
    members: names.map((name) => ({ name, via: `socks5://${place(name)}` })),
    ...options
  },
  rules: { allow: true, route: "pool" },
  ...settings
})

export const play = Effect.fnUntraced(function* (name: string, options: Partial<UpstreamOptions> = {}) {
  const { target } = yield* Network
  yield* target(place(name), upstream({ protocol: "socks5", target: ({ send }) => send(name), ...options }))
})

/** The member that a session gets, or the code of its failure. */
export const asked = Effect.gen(function* () {
  const client = yield* (yield* Network).connect()
  yield* client.send([...greeting(0), ...request("203.0.113.80", 80)])
  const [, , , code] = yield* client.receive(12)
  yield* client.end
  const rest = Buffer.from(yield* client.rest).toString()
  yield* settled
  return code === 0 ? rest : code
}).pipe(Effect.scoped)

export const times = (count: number) => Effect.replicateEffect(asked, count)
