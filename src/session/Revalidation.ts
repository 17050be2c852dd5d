/**
 * Whether sessions that are there would still be let in, and as whom.
 */
import * as Effect from "effect/Effect"
import type { Authenticator } from "../auth/Authenticator.ts"
import { anonymous, type Identity } from "../auth/Identity.ts"
import type { Values } from "../config/Config.ts"
import type { Policy } from "../policy/Policy.ts"
import { accessOf, type Known } from "./Protocol.ts"

/** Who decides that now. */
export interface Deciders {
  readonly config: Values
  readonly authenticator: Authenticator["Service"]
  readonly policy: Policy["Service"]
}

/**
 * Whether a session stands. If it does, its user is from now on who they are now, for what is still to be judged:
 * datagrams, and what is asked next on a connection with a certificate. Nothing else is held against a session
 * that has not asked for anything yet.
 */
export const review = Effect.fnUntraced(function* (
  known: Known,
  deciders: Deciders
): Effect.fn.Return<boolean> {
  const { request, address, certified } = known
  if (request === undefined && certified === undefined) return true
  const identity = yield* identified(known, deciders)
  if (identity === undefined) return false
  if (certified !== undefined) known.certified = identity
  if (request === undefined) return true
  known.identity = identity
  const access = accessOf(known, request)
  const asked = request.command === "ASSOCIATE" ? { ...access, target: undefined } : access
  const { verdict } = yield* deciders.policy.judge(asked, address?.address)
  return verdict !== "deny"
})

/** Who someone would come in as; nothing if they would not. */
const identified = (
  { certified, peer, identity = certified ?? anonymous }: Known,
  { config, authenticator }: Deciders
): Effect.Effect<Identity | undefined> => {
  const { user } = identity
  if (user === undefined || authenticator.recognize === undefined) return Effect.succeed(identity)
  return Effect.match(authenticator.recognize(user, peer.remote), {
    onFailure: () => undefined,
    onSuccess: (found) => {
      if (found !== undefined) return found
      // A stranger's certificate is enough.
      if (certified !== undefined) return { user }
      // A service that is asked over the network is not asked about every session at once.
      return config.authUrl === undefined ? undefined : identity
    }
  })
}
