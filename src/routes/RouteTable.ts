/**
 * The routes of the settings, made ready: the files of their upstreams are read, and health checks begin. Loaded only
 * where the settings have routes.
 */
import * as Effect from "effect/Effect"
import type { AuthSettings } from "../auth/Settings.ts"
import { type Rules, routesOf, takesDefaultRoute } from "../config/RuleTable.ts"
import { BadSetting, BadSettings } from "../Errors.ts"
import { CurrentSource } from "../network/Source.ts"
import * as TlsClient from "../network/TlsClient.ts"
import type { Permitted } from "../policy/Authorize.ts"
import { printable } from "../wire/Text.ts"
import type * as Chain from "./Chain.ts"
import * as Direct from "./Direct.ts"
import * as Egress from "./Egress.ts"
import * as HealthCheck from "./HealthCheck.ts"
import * as Labels from "./Labels.ts"
import { CurrentMemberStates } from "./MemberStates.ts"
import { type Member, Pool } from "./Pool.ts"
import type { JudgedTarget, Route } from "./Route.ts"
import type * as RouteOptions from "./RouteOptions.ts"
import * as RouteProblems from "./RouteProblems.ts"
import * as Router from "./Router.ts"
import * as SessionKey from "./SessionKey.ts"
import type { RouteSettings } from "./Settings.ts"
import * as Upstreams from "./Upstreams.ts"
import * as UpstreamUrl from "./UpstreamUrl.ts"

type Options = RouteSettings["Service"] &
  Pick<AuthSettings["Service"], "userParameters"> & { readonly rules: Rules }

/** What a route is made of. */
export interface Ready {
  readonly pool: Pool
  readonly options: RouteOptions.RouteOptions
  /** Undefined where the route leaves as all others do. */
  readonly egress: Egress.Egress | undefined
}

/** The pools of the settings by the names of their routes. Fails with all mistakes in the routes. */
export const pools = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<ReadonlyMap<string, Ready>, BadSettings> {
  const { upstream, routes } = options
  const errors: Array<BadSetting> = [...RouteProblems.of(options)]
  const all = upstream.length === 0 ? routes : [short(upstream), ...routes]
  const found = new Map<string, Ready>()
  for (const route of all) {
    const path = [routes.indexOf(route)]
    const setting = route.name === "upstream" ? { setting: "--upstream" } : { setting: "--routes", path }
    const members: Array<Member> = []
    for (const member of route.members) {
      const ready = yield* Effect.result(memberOf(member))
      if (ready._tag === "Failure") errors.push(new BadSetting({ ...setting, ...ready.failure }))
      else members.push(ready.success)
    }
    const pool = yield* Pool.make({ route: route.name, members, choose: route.choose })
    const egress = yield* Effect.result(
      Egress.make(route.egress, { ...options, ttl: SessionKey.ttlIn(options.userParameters) })
    )
    if (egress._tag === "Failure") errors.push(egress.failure)
    else
      found.set(route.name, {
        pool,
        options: route,
        egress: route.egress.length > 0 ? egress.success : undefined
      })
  }
  const [first, ...others] = errors
  if (first) return yield* new BadSettings({ errors: [first, ...others] })
  return found
})

/**
 * The route of a server with these settings, until the scope closes. `isInForce` says whether no later settings are in
 * force.
 */
export const make = Effect.fnUntraced(function* (
  options: Options,
  isInForce: () => boolean
): Effect.fn.Return<Route, BadSettings, Chain.Services> {
  const routes = new Map<string, Route>([["direct", Direct.route]])
  const states = yield* CurrentMemberStates
  const through: Array<Pool> = []
  for (const [name, { pool, options: route, egress }] of yield* pools(options)) {
    if (states !== undefined) yield* pool.share(states)
    if (!route.isDirect) through.push(pool)
    const way = route.isDirect ? Direct.route : Upstreams.make(pool, stickyOf(route, options))
    const checks = route.check ? HealthCheck.run(pool, route.check, isInForce) : Effect.void
    yield* egress ? Effect.provideService(checks, CurrentSource, egress.common) : checks
    routes.set(name, egress ? Egress.around(way, egress, name) : way)
  }
  return Router.make({
    ...{
      routes,
      carriesDatagrams: carriesDatagrams(options, routes),
      isByRule: routesOf(options.rules).size > 0
    },
    ...defaultsOf(options),
    upstreams: () => through.flatMap(({ states }) => states)
  })
})

/** Whether one of the routes that can be taken carries datagrams. */
const carriesDatagrams = (options: Options, routes: ReadonlyMap<string, Route>): boolean => {
  const { fallback, noProxy } = defaultsOf(options)
  const defaults = takesDefaultRoute(options.rules)
    ? [fallback, ...(noProxy.length > 0 ? ["direct"] : [])]
    : []
  const names = new Set([...defaults, ...routesOf(options.rules)])
  return [...names].some((name) => routes.get(name)?.carriesDatagrams !== false)
}

const defaultsOf = ({ upstream, noProxy }: Options): Router.Defaults => ({
  fallback: upstream.length > 0 ? "upstream" : "direct",
  noProxy
})

/** What sessions of a route have in common that get the same member; undefined where each gets another one. */
const stickyOf = (
  { choose, stickyBy }: RouteOptions.RouteOptions,
  { userParameters }: Options
): SessionKey.KeyOptions | undefined =>
  choose === "sticky" ? { by: stickyBy, ttl: SessionKey.ttlIn(userParameters) } : undefined

/** The route of each judged address: its name, the member that it would choose now, and where it leaves from. */
export const describe = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Describe, BadSettings> {
  const known = yield* pools(options)
  return (access, permitted, now) => {
    const name = Router.nameFor(defaultsOf(options), access.target, permitted)
    const found = known.get(name)
    if (found === undefined) return { route: name, egress: undefined, isDirect: true }
    const { pool, options: route, egress } = found
    if (route.isDirect) return { route: name, egress, isDirect: true }
    const asked = Upstreams.askedBy(pool, stickyOf(route, options), access, now)
    const { member, count } = pool.preview(asked, now)
    const having = asked.labels.length === 0 ? "" : ` with ${Labels.format(asked.labels)}`
    const of = `of ${count} members${having}`
    const which = (): string => {
      if (member === undefined) return `which has no member${having}`
      if (count === 1) return `through ${member.name}`
      return asked.key === undefined
        ? `through one ${of} (${route.choose})`
        : `through ${member.name} ${of}, as long as it works`
    }
    return { route: `${name}, ${which()}`, egress, isDirect: false }
  }
})

/** The route of a judged address at a time in milliseconds since the epoch, and the egress that the route has of its own. */
export type Describe = (
  access: JudgedTarget["access"],
  permitted: Permitted,
  now: number
) => { readonly route: string; readonly egress: Egress.Egress | undefined; readonly isDirect: boolean }

/** The route of `--upstream`. */
const short = (via: ReadonlyArray<UpstreamUrl.Upstream>): RouteOptions.RouteOptions => ({
  ...{
    name: "upstream",
    isDirect: false,
    members: [{ via, weight: 1, labels: new Map() }],
    egress: [],
    dns: []
  },
  ...{ choose: "round-robin", stickyBy: "user", check: undefined, prefer: undefined }
})

/** A member whose files were read. */
const memberOf = Effect.fnUntraced(function* ({
  name,
  via,
  weight,
  labels
}: RouteOptions.Member): Effect.fn.Return<Member, { readonly value: string; readonly expected: string }> {
  const [first, ...others] = yield* Effect.forEach(via, hopOf)
  const local = others.find(({ upstream: { place } }) => "path" in place)
  if (local) {
    const value = UpstreamUrl.shown(local.upstream)
    return yield* Effect.fail({
      value,
      expected: "behind another upstream, which cannot reach a socket of this machine"
    })
  }
  const id = via.map(UpstreamUrl.shown).join(" ")
  return {
    name: name ?? UpstreamUrl.shown(via[via.length - 1]!),
    id,
    hops: [first!, ...others],
    weight,
    labels
  }
})

/** An upstream with its TLS handshake. Fails for files that cannot be used. */
const hopOf = (
  upstream: UpstreamUrl.Upstream
): Effect.Effect<Chain.Hop, { readonly value: string; readonly expected: string }> =>
  upstream.isTls
    ? Effect.mapBoth(TlsClient.load(upstream.files), {
        onSuccess: (secure) => ({ upstream, shown: UpstreamUrl.shown(upstream), secure }),
        onFailure: ({ file, expected }) => ({ value: `"${printable(file)}"`, expected })
      })
    : Effect.succeed({ upstream, shown: UpstreamUrl.shown(upstream), secure: undefined })
