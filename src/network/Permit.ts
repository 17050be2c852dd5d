/**
 * From a target to the addresses that may be dialled.
 */
import * as Arr from "effect/Array"
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
  const clock = yield* Effect.clockWith(Effect.succeed)
  const startedAt = clock.monotonicTimeNanosUnsafe()
  const early = yield* judge(access)
  if (early.verdict === "deny") return yield* deny({ access, decision: early, addresses: [], duration: 0 })
  const addresses = Arr.map(yield* addressesOf(access.target.host), (address) =>
    NetAddress.toCanonical(address)
  )
  const allowed: Array<NetAddress.IpAddress> = []
  let first: Decision | undefined
  let firstAllowing: Decision | undefined
  for (const address of addresses) {
    const decision = yield* judge(access, address)
    first ??= decision
    if (decision.verdict !== "allow") continue
    firstAllowing ??= decision
    allowed.push(address)
  }
  const duration = Number(clock.monotonicTimeNanosUnsafe() - startedAt) / 1e6
  if (!Arr.isArrayNonEmpty(allowed)) {
    return yield* deny({ access, decision: first!, addresses, duration })
  }
  const decision = early.isReport ? early : firstAllowing!
  yield* (yield* DecisionLog).write({ access, decision, addresses: allowed, duration })
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
