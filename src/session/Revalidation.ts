/**
 * Revalidates open sessions after a change of users or settings: whether each session is still allowed, and with which
 * identity.
 */
import * as Effect from "effect/Effect"
import { renewed } from "../auth/Authenticated.ts"
import type { Authenticator } from "../auth/Authenticator.ts"
import type { AuthSettings } from "../auth/Settings.ts"
import type { Policy } from "../policy/Policy.ts"
import { printable } from "../wire/Text.ts"
import type { Session } from "./Session.ts"
import type { SessionRegistry } from "./SessionRegistry.ts"
import { accessOf } from "./States.ts"

/** The present settings and services, by which sessions are revalidated. */
interface Deciders {
  readonly auth: AuthSettings["Service"]
  readonly authenticator: Authenticator["Service"]
  readonly policy: Policy["Service"]
}

/** Ends every session that is no longer allowed. */
export const endDenied = Effect.fnUntraced(function* (
  { list, endSession }: SessionRegistry["Service"],
  deciders: Deciders
): Effect.fn.Return<void> {
  for (const session of yield* list) {
    const { id } = session
    // Meanwhile the connection may have come to its next session, which is not the one that was judged.
    if (!(yield* revalidate(session, deciders)) && session.id === id) yield* endSession(session, "denied")
  }
})

/** Ends every session of these users, also those that have logged in and not asked for a target yet. */
export const endSessionsOf = Effect.fnUntraced(function* (
  { list, endSession }: SessionRegistry["Service"],
  users: ReadonlyArray<string>
): Effect.fn.Return<void> {
  if (users.length === 0) return
  const names = new Set(users.map((name) => printable(name)))
  for (const session of yield* list) {
    const user = session.user ?? session.accepted?.certified?.user
    if (user !== undefined && names.has(user)) yield* endSession(session, "denied")
  }
})

/**
 * Whether a session is still allowed. If so, the session gets the user's present identity, by which its later datagrams
 * are judged, and the next request of a connection with a certificate. A session without a request is revalidated by
 * its certificate only.
 */
export const revalidate = Effect.fnUntraced(function* (
  { accepted, admitted, running }: Pick<Session, "accepted" | "admitted" | "running">,
  deciders: Deciders
): Effect.fn.Return<boolean> {
  const isCertified = accepted?.certified !== undefined
  const proven = admitted?.identity ?? accepted?.certified
  const peer = admitted?.peer ?? accepted?.peer
  if (proven === undefined || peer === undefined) return true
  const identity = yield* renewed(proven, isCertified, peer.remote, deciders)
  if (identity === undefined) return false
  if (accepted && isCertified) accepted.certified = identity
  if (admitted === undefined) return true
  admitted.identity = identity
  const access = accessOf(admitted)
  const asked = access.command === "ASSOCIATE" ? { ...access, target: undefined } : access
  const { verdict } = yield* deciders.policy.judge(asked, running?.remote.address)
  return verdict !== "deny"
})
