/**
 * The routes of the settings, made ready: the files of their upstreams are read, and health checks begin. Loaded only
 * where the settings have routes.
 */
import * as Effect from "effect/Effect"
import type { AuthSettings } from "../auth/Settings.ts"
import { nameOf } from "../config/Rule.ts"
import { having, type Rules } from "../config/RuleTable.ts"
import { BadSetting, BadSettings } from "../Errors.ts"
import { CurrentSource } from "../network/Source.ts"
import * as TlsClient from "../network/TlsClient.ts"
import type { Permitted } from "../policy/Authorize.ts"
import { printable } from "../wire/Text.ts"
import type * as Chain from "./Chain.ts"
import * as Deny from "./Deny.ts"
import * as Direct from "./Direct.ts"
import * as Egress from "./Egress.ts"
import * as HealthCheck from "./HealthCheck.ts"
import { type Member, Pool } from "./Pool.ts"
import type { JudgedTarget, Route } from "./Route.ts"
import type * as RouteOptions from "./RouteOptions.ts"
import * as Router from "./Router.ts"
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
  const errors: Array<BadSetting> = [...misnamed(options)]
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
    const egress = yield* Effect.result(Egress.make(route.egress, options))
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

/** The route of a server with these settings, until the scope closes. */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Route, BadSettings, Chain.Services> {
  const routes = new Map<string, Route>([
    ["direct", Direct.route],
    ["deny", Deny.route]
  ])
  for (const [name, { pool, options: route, egress }] of yield* pools(options)) {
    const way = route.isDirect
      ? Direct.route
      : Upstreams.make(pool, route.choose === "sticky" ? route.stickyBy : undefined)
    const checks = route.check ? HealthCheck.run(pool, route.check) : Effect.void
    yield* egress ? Effect.provideService(checks, CurrentSource, egress.common) : checks
    routes.set(name, egress ? Egress.around(way, egress, name) : way)
  }
  return Router.make({
    ...{ routes, carriesDatagrams: carriesDatagrams(options, routes), isByRule: namedBy(options).length > 0 },
    ...defaultsOf(options)
  })
})

/** Whether one of the routes that can be taken carries datagrams. */
const carriesDatagrams = (options: Options, routes: ReadonlyMap<string, Route>): boolean => {
  const { fallback, noProxy } = defaultsOf(options)
  const names = new Set([fallback, ...namedBy(options), ...(noProxy.length > 0 ? ["direct"] : [])])
  return [...names].some((name) => name !== "deny" && routes.get(name)?.carriesDatagrams !== false)
}

/** The routes that rules name. */
const namedBy = ({ rules }: Options): ReadonlyArray<string> =>
  Array.from(having(rules, "route"), ([, { route }]) => route!)

const defaultsOf = ({ upstream, noProxy }: Options): Router.Defaults => ({
  fallback: upstream.length > 0 ? "upstream" : "direct",
  noProxy
})

/** A text for each judged address: its route, and the member that the route would choose now. */
export const describe = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Describe, BadSettings> {
  const known = yield* pools(options)
  return (access, permitted) => {
    const name = Router.nameFor(defaultsOf(options), access.target, permitted)
    const found = known.get(name)
    if (found === undefined) return name
    const { pool, options: route } = found
    const { members } = pool
    if (route.isDirect) return name
    if (members.length === 1) return `${name}, through ${members[0]!.name}`
    const key = route.choose === "sticky" ? Upstreams.commonOf(access, route.stickyBy) : undefined
    return key === undefined
      ? `${name}, through one of ${members.length} members (${route.choose})`
      : `${name}, through ${pool.preview(key, 0)?.name} of ${members.length} members, as long as it works`
  }
})

export type Describe = (access: JudgedTarget["access"], permitted: Permitted) => string

/** The route of `--upstream`. */
const short = (via: ReadonlyArray<UpstreamUrl.Upstream>): RouteOptions.RouteOptions => ({
  ...{ name: "upstream", isDirect: false, members: [{ via, weight: 1 }], egress: [], dns: [] },
  ...{ choose: "round-robin", stickyBy: "user", check: undefined, prefer: undefined }
})

/** Routes of one name, routes that no rule names, and rules that name no route. */
const misnamed = ({ routes, rules, userParameters }: Options): ReadonlyArray<BadSetting> => {
  const names = routes.map(({ name }) => name)
  const known = new Set([...names, "direct", "deny"])
  const taken = new Set<string>()
  const unknown: Array<BadSetting> = []
  for (const [index, rule] of having(rules, "route")) {
    taken.add(rule.route!)
    if (known.has(rule.route!)) continue
    const value = `route "${printable(rule.route!)}" of ${nameOf(rule, index)}`
    const expected = `one of ${[...known].join(", ")}`
    unknown.push(new BadSetting({ setting: "--rules", path: [index, "route"], value, expected }))
  }
  const common = ["user", "client", ...userParameters.map(({ name }) => name)]
  const uncommon = routes.flatMap(({ stickyBy }, index) =>
    common.includes(stickyBy)
      ? []
      : [
          new BadSetting({
            ...{ setting: "--routes", path: [index, "sticky-by"], value: `"${stickyBy}"` },
            expected: `one of ${common.join(", ")}: user-parameters declares more`
          })
        ]
  )
  const problems = names.flatMap((name, index) => {
    const bad = (expected: string) =>
      new BadSetting({ setting: "--routes", path: [index, "name"], value: `"${name}"`, expected })
    if (names.indexOf(name) !== index) return [bad("the only route of its name")]
    return taken.has(name) ? [] : [bad("the route of any rule: a rule takes it by route")]
  })
  return [...unknown, ...problems, ...uncommon]
}

/** A member whose files were read. */
const memberOf = Effect.fnUntraced(function* ({
  name,
  via,
  weight
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
  return { name: name ?? UpstreamUrl.shown(via[via.length - 1]!), id, hops: [first!, ...others], weight }
})

/** An upstream with its TLS handshake. Fails for files that cannot be used. */
const hopOf = (
  upstream: UpstreamUrl.Upstream
): Effect.Effect<Chain.Hop, { readonly value: string; readonly expected: string }> =>
  upstream.isTls
    ? Effect.mapBoth(TlsClient.load(upstream.files), {
        onSuccess: (secure) => ({ upstream, secure }),
        onFailure: ({ file, expected }) => ({ value: `"${printable(file)}"`, expected })
      })
    : Effect.succeed({ upstream, secure: undefined })
