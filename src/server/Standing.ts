/**
 * Whether sessions that are there would still be let in.
 */
import * as Effect from "effect/Effect"
import type { Values } from "../config/Config.ts"
import { accessOf, type Known } from "../phases/Dialect.ts"
import type { Authenticator } from "../policy/Authenticator.ts"
import type { Policy } from "../policy/Policy.ts"

/** Who decides that now. */
export interface Deciders {
  readonly config: Values
  readonly authenticator: Authenticator["Service"]
  readonly policy: Policy["Service"]
}

/** Nothing is held against a session that has not asked for anything yet: it will be judged when it does. */
export const stands = Effect.fnUntraced(function* (
  known: Known,
  { config, authenticator, policy }: Deciders
): Effect.fn.Return<boolean> {
  const { request, address, identity, peer } = known
  if (request === undefined) return true
  const user = identity?.user
  // A service that is asked over the network is not asked about every session at once.
  if (user !== undefined && config.authUrl === undefined && authenticator.recognize !== undefined) {
    const found = yield* Effect.catch(authenticator.recognize(user, peer.remote), () => Effect.undefined)
    if (found === undefined) return false
  }
  const access = accessOf(known, request)
  const asked = request.command === "ASSOCIATE" ? { ...access, target: undefined } : access
  const { verdict } = yield* policy.judge(asked, address?.address)
  return verdict !== "deny"
})
