/**
 * From a target to the addresses that may be dialled.
 */
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import { NotAllowed, type ResolveError } from "../Errors.ts"
import type { Access } from "../policy/Access.ts"
import type { Decision } from "../policy/Decision.ts"
import { type Decided, DecisionLog } from "../policy/DecisionLog.ts"
import { Policy } from "../policy/Policy.ts"
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
  const startedAt = yield* Clock.currentTimeNanos
  const early = yield* judge(access)
  if (early.verdict === "deny") return yield* deny({ access, decision: early, addresses: [], duration: 0 })
  const addresses = Arr.map(yield* addressesOf(access.target.host), (address) =>
    NetAddress.toCanonical(address)
  )
  const decisions = yield* Effect.forEach(addresses, (address) => judge(access, address))
  const duration = Number((yield* Clock.currentTimeNanos) - startedAt) / 1e6
  const allowed = addresses.filter((_, index) => decisions[index]!.verdict === "allow")
  if (!Arr.isReadonlyArrayNonEmpty(allowed)) {
    return yield* deny({ access, decision: decisions[0]!, addresses, duration })
  }
  const decision = early.isReport ? early : decisions.find(({ verdict }) => verdict === "allow")!
  yield* (yield* DecisionLog).write({ access, decision, addresses, duration })
  return { addresses: allowed, decision }
})

/** Whether the command may be carried out at all, as far as can be told before there is a target. */
export const admit = Effect.fnUntraced(function* (
  access: Access
): Effect.fn.Return<void, NotAllowed, Policy> {
  const decision = yield* (yield* Policy).judge(access)
  if (decision.verdict === "deny") return yield* deny({ access, decision, addresses: [], duration: 0 })
})

const deny = Effect.fnUntraced(function* (decided: Decided): Effect.fn.Return<never, NotAllowed> {
  yield* (yield* DecisionLog).write(decided)
  const { rule, reason = "a rule denies it" } = decided.decision
  return yield* new NotAllowed({ reason, rule })
})
