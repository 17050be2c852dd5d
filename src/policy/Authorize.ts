/**
 * Authorizes a target: resolves its name, and judges each of its addresses.
 */
import * as Arr from "effect/Array"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import { type LimitError, NotAllowed, type ResolveError } from "../Errors.ts"
import { Nat64 } from "../network/Nat64.ts"
import { type Addresses, addressesOf, type Late, Resolver } from "../network/Resolver.ts"
import { RouteResolvers } from "../network/RouteResolvers.ts"
import type { Target } from "../wire/Target.ts"
import type { Access } from "./Access.ts"
import type { Decision } from "./Decision.ts"
import { type Decided, DecisionLog } from "./DecisionLog.ts"
import { Policy } from "./Policy.ts"

/** An allowed address with its decision. The rule of the decision charges only sessions that use the address. */
export interface Permitted {
  readonly address: NetAddress.IpAddress
  readonly decision: Decision
}

export type Authorized = Arr.NonEmptyReadonlyArray<Permitted> & Late<Permitted>

/**
 * The allowed addresses of the access's target, in the order in which to try them.
 * The name is judged before it is resolved, and then each of its addresses: an address of
 * a translator as the IPv4 address to which it leads. An address that other name servers have found than those of
 * its route is denied. Fails if no address is allowed.
 */
export const authorize = Effect.fnUntraced(function* (
  access: Access & { readonly target: Target }
): Effect.fn.Return<Authorized, NotAllowed | ResolveError, Policy | Resolver> {
  const clock = yield* Effect.clockWith(Effect.succeed)
  const startedAt = clock.monotonicTimeNanosUnsafe()
  const { judge } = yield* Policy
  const early = yield* judge(access)
  if (early.verdict === "deny") return yield* deny({ access, decision: early, addresses: [], duration: 0 })
  const resolverOf = yield* RouteResolvers
  const asked = { access, judge, clock, startedAt, early, resolverOf }
  const found = yield* resolve(access.target.host, resolverOf(early.route))
  const judged = yield* judgeAll(asked, found)
  if ("first" in judged) {
    const { first, ...rest } = judged
    return yield* deny({ access, decision: first!, ...rest })
  }
  return found.late === undefined
    ? judged
    : Object.assign(judged, {
        late: Effect.map(
          Effect.flatMap(found.late, (late) => judgeAll(asked, late)),
          (more) => ("first" in more ? [] : more)
        )
      })
})

/** An access whose name is judged, and since when. */
interface Asked {
  readonly access: Access & { readonly target: Target }
  readonly judge: Policy["Service"]["judge"]
  readonly clock: Clock.Clock
  /** Nanoseconds of the monotonic clock. */
  readonly startedAt: bigint
  readonly early: Decision
  readonly resolverOf: (route: string | undefined) => Resolver["Service"] | undefined
}

/** The allowed ones of these addresses, or the first decision if none is allowed. */
const judgeAll = Effect.fnUntraced(function* (
  { access, judge, clock, startedAt, early, resolverOf }: Asked,
  found: ReadonlyArray<NetAddress.IpAddress>
) {
  const { original } = yield* Nat64
  const isOfRoute = ({ verdict, route }: Decision) =>
    verdict !== "allow" ||
    NetAddress.isIpAddress(access.target.host) ||
    resolverOf(route) === resolverOf(early.route)
  const addresses = found.map((address) => NetAddress.toCanonical(address))
  const allowed: Array<Permitted> = []
  let first: Decision | undefined
  for (const address of addresses) {
    const judged = yield* judge(access, original(address))
    const decision = isOfRoute(judged) ? judged : foundElsewhere(judged)
    first ??= decision
    if (decision.verdict === "allow") allowed.push({ address, decision })
  }
  const duration = Number(clock.monotonicTimeNanosUnsafe() - startedAt) / 1e6
  if (!Arr.isArrayNonEmpty(allowed)) return { first, addresses, duration }
  const { write } = yield* DecisionLog
  for (const group of early.isReport ? [allowed] : byDecision(allowed)) {
    const decision = early.isReport ? early : group[0]!.decision
    yield* write({ access, decision, addresses: group.map(({ address }) => address), duration })
  }
  return allowed
})

/** The addresses of a host, by this resolver or else the usual one. */
export const resolve = (
  host: Target["host"],
  resolver: Resolver["Service"] | undefined
): Effect.Effect<Addresses, ResolveError, Resolver> =>
  resolver === undefined ? addressesOf(host) : Effect.provideService(addressesOf(host), Resolver, resolver)

const foundElsewhere = ({ rule }: Decision): Decision => ({
  ...{ verdict: "deny", rule },
  reason: "its route asks other name servers than those that have found the address"
})

/**
 * The first address whose rule has room under its limits, with the result of `enter`; if none has, fails as the first
 * address did.
 */
export const firstWithRoom = <A, R>(
  [head, ...tail]: Authorized,
  enter: (decision: Decision) => Effect.Effect<A, LimitError, R>
): Effect.Effect<readonly [Permitted, A], LimitError, R> => {
  const attempt = (permitted: Permitted) =>
    Effect.map(enter(permitted.decision), (entered) => [permitted, entered] as const)
  const first = attempt(head)
  return tail.length === 0
    ? first
    : Effect.catch(first, (error) => Effect.firstSuccessOf([...tail.map(attempt), Effect.fail(error)]))
}

/** The addresses, grouped by the rule that decided. Nearly always there is one group. */
const byDecision = (all: Authorized): ReadonlyArray<ReadonlyArray<Permitted>> => {
  const isAsFirst = ({ decision: { rule, isReport } }: Permitted) =>
    rule === all[0].decision.rule && isReport === all[0].decision.isReport
  return all.every(isAsFirst)
    ? [all]
    : Object.values(Arr.groupBy(all, ({ decision: { rule, isReport } }) => `${isReport} ${rule}`))
}

/** Fails if the command is denied for every target. */
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
