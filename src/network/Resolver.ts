/**
 * The service that resolves names.
 *
 * `dns.lookup` runs in Node's pool of four threads. A few names whose servers do not answer would stop all other
 * sessions. So the queries are sent from the event loop (c-ares), which does not read the hosts file: this file reads
 * it. Name servers of the settings are asked by `NameServers`.
 *
 * The search list of the system is not used. The resolved name is exactly the name that the policy has judged.
 */
import { Resolver as Queries } from "node:dns/promises"
import { readFile } from "node:fs/promises"
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Phases from "../base/Phases.ts"
import type { NameServer } from "../config/NameServer.ts"
import { BadSetting, NameNotFound, ResolutionTimeout, type ResolveError } from "../Errors.ts"
import * as DnsCache from "./DnsCache.ts"
import { NameSettings } from "./NameSettings.ts"
import { NetworkSettings } from "./Settings.ts"

/** What is found later than the rest. */
export interface Late<out A> {
  /**
   * More addresses, of the family whose name server has not answered yet: to be tried after the first
   * address. Undefined if there are none to wait for.
   */
  readonly late?: Effect.Effect<ReadonlyArray<A>> | undefined
}

/** The addresses of a name, at least one, in the order in which to try them. */
export type Addresses = Arr.NonEmptyReadonlyArray<NetAddress.IpAddress> & Late<NetAddress.IpAddress>

/**
 * The addresses of a name.
 *
 * **When to use**
 *
 * Replace it to ask other name servers, or provide `Resolver.layerFixed` for names of your own. The policy judges each
 * address before the address is dialled.
 *
 * **Example** (Names of your own, and no others)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { NetAddress } from "effect/net"
 * import { Resolver, Server } from "effect-socks"
 *
 * const Names = Resolver.layerFixed({ "db.example": [NetAddress.ipFromStringUnsafe("192.0.2.1")] })
 *
 * const ProxyLive = Server.layer().pipe(Layer.provide(Names))
 * ```
 */
export class Resolver extends Context.Service<
  Resolver,
  {
    /** The addresses of a name, in the order to try them. */
    readonly resolve: (name: Host.DomainName) => Effect.Effect<Addresses, ResolveError>
  }
>()("effect-socks/network/Resolver") {
  /**
   * Asks the names of the settings, the hosts file, and the name servers of the settings or else of this machine. Answers are
   * cached as long as their TTL allows.
   */
  static readonly layer: Layer.Layer<Resolver, never, NetworkSettings | NameSettings> = Layer.effect(
    Resolver,
    Effect.suspend(() => Effect.flatMap(NameSettings, Resolver.make))
  )

  /** The same by these settings of names. */
  static readonly make = ({
    dns,
    staticHosts,
    prefer
  }: Pick<NameSettings["Service"], "dns" | "staticHosts" | "prefer">): Effect.Effect<
    Resolver["Service"],
    never,
    NetworkSettings | Scope.Scope
  > =>
    Effect.gen(function* () {
      const { resolveTimeout } = yield* NetworkSettings
      const cache = yield* DnsCache.make(resolveTimeout)
      const own = Arr.groupBy(staticHosts, ({ name }) => name)
      const chosen = dns.length === 0 ? undefined : yield* Effect.promise(() => named(dns))
      // The files change when the machine changes networks.
      const system = yield* Effect.cachedWithTTL(readSystem(chosen), "10 seconds")
      return {
        resolve: (name) =>
          Object.hasOwn(own, name)
            ? Effect.succeed(Arr.map(own[name]!, ({ address }) => address))
            : Effect.flatMap(system, (current) => resolveWith(current, cache, name, prefer)).pipe(
                Effect.timeoutOrElse({
                  duration: resolveTimeout,
                  orElse: () => Effect.fail(new ResolutionTimeout({ name }))
                })
              )
      }
    })

  /** A resolver in place of this package's own. Fails for settings that only the latter goes by. */
  static readonly layerOfOwn = (
    own: Layer.Layer<Resolver>
  ): Layer.Layer<Resolver, BadSetting, NameSettings> =>
    Layer.merge(
      own,
      Layer.effectDiscard(
        Effect.gen(function* () {
          const { dns, staticHosts } = yield* NameSettings
          const given = Object.entries({ dns, "static-hosts": staticHosts }).find(
            ([, values]) => values.length > 0
          )
          if (given === undefined) return
          const expected = "possible beside a Resolver of your own, which says alone what names lead to"
          return yield* new BadSetting({ setting: `--${given[0]}`, value: "what was given", expected })
        })
      )
    )

  /** Resolves by this table only: for tests, and for servers without name servers. */
  static readonly layerFixed = (table: Readonly<Record<string, Addresses>>): Layer.Layer<Resolver> =>
    Layer.succeed(Resolver, {
      resolve: (name) => {
        // `table.constructor` exists in every object.
        const addresses = Object.hasOwn(table, name) ? table[name] : undefined
        return addresses ? Effect.succeed(addresses) : Effect.fail(new NameNotFound({ name }))
      }
    })
}

/** The addresses of a host; an address is its own result. */
export const addressesOf = (
  host: NetAddress.IpAddress | Host.DomainName
): Effect.Effect<Addresses, ResolveError, Resolver> =>
  NetAddress.isIpAddress(host)
    ? Effect.succeed([host])
    : Effect.flatMap(Resolver, ({ resolve }) => Phases.run("resolve", resolve(host)))

/** The configuration of this machine's resolver. */
interface System {
  readonly servers: DnsCache.Servers
  readonly hosts: Host.HostsTable
}

/** Reads the hosts file, and without name servers of the settings those of this machine. */
const readSystem = (servers: DnsCache.Servers | undefined): Effect.Effect<System> =>
  Effect.all([
    readText("/etc/hosts"),
    servers === undefined ? readText("/etc/resolv.conf") : Effect.succeed("")
  ]).pipe(
    Effect.map(([hosts, conf]) => ({
      // Other name servers can have other answers, so the key is the whole file.
      servers: servers ?? { key: conf, queries: new Queries({ timeout: 2000, tries: 2 }) },
      hosts: Host.parseHostsFile(hosts)
    }))
  )

/** The name servers of the settings. Their code is loaded where there are any. */
const named = async (servers: ReadonlyArray<NameServer>): Promise<DnsCache.Servers> => {
  const NameServers = await import("./NameServers.ts")
  return { key: "settings", queries: NameServers.make(servers) }
}

const readText = (path: string): Effect.Effect<string> =>
  Effect.promise(() => readFile(path, "utf8").catch(() => ""))

const resolveWith = (
  { servers, hosts }: System,
  cache: DnsCache.DnsCache,
  name: Host.DomainName,
  prefer: Family
): Effect.Effect<Addresses, ResolveError> => {
  // RFC 6761 §6.3: name servers are not asked about localhost.
  if (name === "localhost" || name.endsWith(".localhost")) return Effect.succeed(NetAddress.loopbackAddresses)
  const known = hosts.get(name)
  return known ? Effect.succeed(known) : query(servers, cache, name, prefer)
}

/** The time to wait for the other family after one has answered (RFC 8305 §3). */
const resolutionDelay = "50 millis"

/** Queries both families at the same time. After one has answered, the other is late after `resolutionDelay`. */
const query = Effect.fnUntraced(function* (
  servers: DnsCache.Servers,
  cache: DnsCache.DnsCache,
  name: Host.DomainName,
  prefer: Family
): Effect.fn.Return<Addresses, ResolveError> {
  const answered = Deferred.makeUnsafe<void>()
  const family = (version: 4 | 6) =>
    cache.lookup(servers, name, version).pipe(
      Effect.tap((addresses) =>
        addresses.length === 0 ? Effect.void : Deferred.succeed(answered, undefined)
      ),
      Effect.raceFirst(
        Deferred.await(answered).pipe(Effect.andThen(Effect.sleep(resolutionDelay)), Effect.as("late"))
      ),
      Effect.result
    )
  const answers = yield* Effect.all([family(6), family(4)], { concurrency: "unbounded" })
  const [v6, v4] = answers.map((answer) => (isAddresses(answer) ? answer.success : []))
  const addresses = prefer === "ipv6" ? interleave(v6!, v4!) : interleave(v4!, v6!)
  if (Arr.isReadonlyArrayNonEmpty(addresses)) {
    const isLate = answers.some((answer) => Result.isSuccess(answer) && answer.success === "late")
    return isLate
      ? Object.assign(addresses, { late: late(servers, cache, name, v6!.length > 0 ? 4 : 6) })
      : addresses
  }
  const failure = answers.find(Result.isFailure)
  return yield* failure ? failure.failure : new NameNotFound({ name })
})

/** The addresses of a family that is late. They are asked for again only if the first question is over. */
const late = (
  servers: DnsCache.Servers,
  cache: DnsCache.DnsCache,
  name: Host.DomainName,
  version: 4 | 6
): Effect.Effect<ReadonlyArray<NetAddress.IpAddress>> =>
  Effect.orElseSucceed(cache.lookup(servers, name, version), () => [])

const isAddresses = (
  answer: Result.Result<ReadonlyArray<NetAddress.IpAddress> | string, unknown>
): answer is Result.Success<ReadonlyArray<NetAddress.IpAddress>, never> =>
  Result.isSuccess(answer) && typeof answer.success !== "string"

type Family = NameSettings["Service"]["prefer"]

/** Alternates the families (RFC 8305 §4). */
const interleave = <A>(first: ReadonlyArray<A>, second: ReadonlyArray<A>): Array<A> =>
  Array.from({ length: Math.max(first.length, second.length) }, (_, i) => [
    ...first.slice(i, i + 1),
    ...second.slice(i, i + 1)
  ]).flat()
