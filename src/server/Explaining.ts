/**
 * The decision about an access and its reasons, in lines for people: for the command `explain`, and for the admin API.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as UserParameters from "../auth/UserParameters.ts"
import { Users } from "../auth/Users.ts"
import * as UsersSource from "../auth/UsersSource.ts"
import * as Slices from "../base/Slices.ts"
import type { Rules } from "../config/RuleTable.ts"
import type { BadSetting, BadSettings, ResolveError } from "../Errors.ts"
import { Nat64 } from "../network/Nat64.ts"
import { Resolver } from "../network/Resolver.ts"
import { RouteResolvers } from "../network/RouteResolvers.ts"
import type { Access } from "../policy/Access.ts"
import * as Authorize from "../policy/Authorize.ts"
import type { Decision } from "../policy/Decision.ts"
import * as Explain from "../policy/Explain.ts"
import { LocalAddresses } from "../policy/LocalAddresses.ts"
import * as Policy from "../policy/Policy.ts"
import * as RuleNames from "../policy/RuleNames.ts"
import * as RouteNames from "../routes/RouteNames.ts"
import * as Routes from "../routes/Routes.ts"
import { printable } from "../wire/Text.ts"
import * as AccessQuestion from "./AccessQuestion.ts"
import * as Config from "./Config.ts"
import { addressesOf } from "./CurrentGeneration.ts"
import * as LoopGuard from "./LoopGuard.ts"

/** Services of an app, in the place of those of the settings. */
interface Replacements {
  readonly users?: Layer.Layer<Users> | undefined
  readonly resolver?: Layer.Layer<Resolver> | undefined
}

/** The decision of the policy of these settings about an access by the user of this name. */
export const answer = Effect.fnUntraced(function* (
  values: Config.Values,
  asked: AccessQuestion.Given,
  name: string | undefined,
  replacements: Replacements = {}
) {
  const login = name === undefined ? undefined : UserParameters.read(values.userParameters, name)
  if (login !== undefined && "refused" in login) {
    return { lines: [`Refused at the login: ${login.refused}`], code: 1, isUnknown: false } as const
  }
  const question = yield* AccessQuestion.read(asked, login?.user)
  return yield* Effect.gen(function* () {
    const { users } = yield* (yield* Users).current
    const user = users.find((known) => known.name === login?.user)
    // A service may know more users, and a certificate may be anyone's.
    const isUnknown = name !== undefined && user === undefined && !values.authUrl && !values.tlsClientCa
    const groups = user?.groups ?? []
    const { access } = question
    const { parameters = {} } = login ?? {}
    const identity = {
      ...access.identity,
      groups: [...(access.identity.groups ?? []), ...groups],
      parameters
    }
    const explained = yield* explain(
      {
        rules: values.rules,
        judge: yield* Slices.run(judging(values, yield* LocalAddresses), piece),
        routeOf: yield* Routes.describe
      },
      { ...question, access: { ...access, identity } }
    )
    return { ...explained, isUnknown }
  }).pipe(
    Effect.provide(
      Layer.provideMerge(
        Layer.mergeAll(
          replacements.users ?? usersOf,
          Layer.provideMerge(Nat64.layer, replacements.resolver ?? Resolver.layer),
          LocalAddresses.layer,
          RouteNames.layer
        ),
        Config.layer(values)
      )
    )
  )
})

const usersOf: Layer.Layer<Users, BadSetting | BadSettings, Config.Sections> = Layer.provide(
  UsersSource.layer,
  RuleNames.layer
)

/** Milliseconds of a piece of work, as the server may have sessions meanwhile. */
const piece = 1

/** Builds the judge of a server with these settings: the loop guard, the address guard and the rules. */
function* judging(values: Config.Values, local: LocalAddresses["Service"]): Slices.Work<Inputs["judge"]> {
  const own = LoopGuard.judge(() => addressesOf(values.listen), values.allowTarget)
  const others = yield* Policy.buildJudge(values, local)
  return (access, address, now) => {
    const mine = own(access, address)
    if (mine !== undefined) return mine
    const decision = others(access, address, now)
    return values.reportOnly && Policy.isReported(decision) ? { ...decision, isReported: true } : decision
  }
}

/** The rules, and the judge of a server with them. */
interface Inputs {
  readonly rules: Rules
  readonly judge: (access: Access, address: NetAddress.IpAddress | undefined, now: number) => Judged
  /** What there is to say of the route to a judged address. */
  readonly routeOf?: Effect.Success<typeof Routes.describe>
}

/** A decision, and whether it is a denial that is only logged (`report-only`). */
type Judged = Decision & { readonly isReported?: true }

interface Explanation {
  readonly lines: ReadonlyArray<string>
  /** The exit code: 0 if at least one address is allowed, 1 if none is, 3 if the name has no address. */
  readonly code: 0 | 1 | 3
}

/** Judges as the server does: first the target, then each of its addresses. */
export const explain = Effect.fnUntraced(function* (
  { rules, judge, routeOf }: Inputs,
  { access, address, at }: AccessQuestion.AccessQuestion
): Effect.fn.Return<Explanation, never, Resolver> {
  const now = at ?? (yield* Clock.currentTimeMillis)
  const isAllowed = (where: NetAddress.IpAddress | undefined) => {
    const { verdict, isReported } = judge(access, where, now)
    return verdict !== "deny" || isReported === true
  }
  const explainer = yield* Slices.run(Explain.make(rules, most), piece)
  const steps = (where: NetAddress.IpAddress | undefined) =>
    Effect.map(Slices.run(explainer(access, where, now), piece), listed)
  const considered = Effect.fnUntraced(function* (where: NetAddress.IpAddress | undefined) {
    const decision = judge(access, where, now)
    const { target } = access
    const route =
      routeOf && target && where && decision.verdict === "allow"
        ? routeOf({ ...access, target }, { address: where, decision }, now)
        : []
    return [...(yield* steps(where)), verdict(decision), ...route]
  })
  if (!isAllowed(undefined)) return { lines: yield* considered(undefined), code: 1 }
  const resolver = (yield* RouteResolvers)(judge(access, undefined, now).route)
  const found = yield* Effect.result(addressesIn(access, address, resolver))
  // Without an address the target cannot be reached, whatever the rules allow.
  if (Result.isFailure(found)) {
    return {
      lines: [...(yield* steps(undefined)), `Cannot be reached: ${whyOf(found.failure)} (${hint})`],
      code: 3
    }
  }
  const known = found.success
  const lines = yield* Effect.forEach(known, (where) =>
    Effect.map(considered(where), (lines) =>
      where === undefined ? lines : [`At ${NetAddress.formatIp(where)}:`, ...lines]
    )
  )
  return { lines: lines.flat(), code: known.some(isAllowed) ? 0 : 1 }
})

const hint = "--address judges one all the same"

const whyOf = (error: ResolveError): string => {
  switch (error._tag) {
    case "NameNotFound":
      return `${printable(error.name)} has no address`
    case "ResolutionFailed":
      return `the name servers fail (${error.code})`
    case "ResolutionTimeout":
      return "the name servers do not answer in time"
  }
}

/** The addresses to judge; one undefined address for an access without a target. */
const addressesIn = Effect.fnUntraced(function* (
  { target }: Access,
  address: NetAddress.IpAddress | undefined,
  resolver: Resolver["Service"] | undefined
): Effect.fn.Return<ReadonlyArray<NetAddress.IpAddress | undefined>, ResolveError, Resolver> {
  if (address !== undefined || target === undefined) return [address]
  const [found, { original }] = [yield* Authorize.resolve(target.host, resolver), yield* Nat64]
  return found.map((each) => original(NetAddress.toCanonical(each)))
})

/** A line for each rule, but of very many only for the last few. */
const listed = ({ last, before, maybeBefore }: Explain.Steps): ReadonlyArray<string> => [
  ...(before === 0
    ? []
    : [`  ${before} rules before: ${before - maybeBefore} do not match, ${maybeBefore} may`]),
  ...last.map(line)
]

const most = 20

const line = ({ rule, verdict, matches, condition }: Explain.Step): string => {
  if (matches === "yes") return `  ${rule}: matches`
  return matches === "no"
    ? `  ${rule}: does not match (${condition})`
    : `  ${rule}: may match, and ${verdict === "allow" ? "allow" : "deny"} (${condition})`
}

const verdict = ({ verdict, rule, reason, isReported }: Judged): string => {
  if (verdict === "undecided") return "Undecided: that depends on each target"
  const by = `by: ${rule}${reason === undefined ? "" : ` (${reason})`}`
  if (isReported) return `Allowed, and logged as denied (report-only) ${by}`
  return `${verdict === "allow" ? "Allowed" : "Denied"} ${by}`
}
