/**
 * From a target to the addresses that may be dialled.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import { NotAllowed, type ResolveError } from "../Errors.ts"
import type { Access } from "../policy/Access.ts"
import { type Decision, Policy } from "../policy/Policy.ts"
import type { Target } from "../wire/Target.ts"
import { type Addresses, addressesOf, type Resolver } from "./Resolver.ts"

/** What may be dialled, and what decided it. */
export interface Permit {
  readonly addresses: Addresses
  readonly decision: Decision
}

/**
 * The addresses of the access's target that are allowed, in the order in which
 * to try them: its name is judged before it is resolved, and each address after
 * that. Fails if none is left.
 */
export const grant = Effect.fnUntraced(function* (
  access: Access & { readonly target: Target }
): Effect.fn.Return<Permit, NotAllowed | ResolveError, Policy | Resolver> {
  const { judge } = yield* Policy
  const early = yield* judge(access)
  if (early.verdict === "deny") return yield* denied(early)
  const candidates = yield* addressesOf(access.target.host)
  const decisions = yield* Effect.forEach(candidates, (candidate) => {
    const address = NetAddress.toCanonical(candidate)
    return Effect.map(judge(access, address), (decision) => ({ address, decision }))
  })
  const allowed = decisions.filter(({ decision }) => decision.verdict === "allow")
  if (!Arr.isReadonlyArrayNonEmpty(allowed)) return yield* denied(decisions[0]!.decision)
  return {
    addresses: Arr.map(allowed, ({ address }) => address),
    decision: allowed[0].decision
  }
})

/** Whether the command may be carried out at all, as far as can be told without a target. */
export const admit = Effect.fnUntraced(function* (
  access: Access
): Effect.fn.Return<void, NotAllowed, Policy> {
  const decision = yield* (yield* Policy).judge(access)
  if (decision.verdict === "deny") return yield* denied(decision)
})

const denied = ({ rule, reason = "a rule denies it" }: Decision): NotAllowed =>
  new NotAllowed({ reason, rule })
