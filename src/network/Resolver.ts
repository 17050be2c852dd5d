/**
 * From a name to its addresses.
 *
 * `dns.lookup` would be the obvious choice, but it runs on four threads that it
 * shares with hashing: a few names whose servers do not answer stop every other
 * session. So the queries go out on the event loop (c-ares), and the hosts file,
 * which the system's resolver reads for people, is read here.
 *
 * The search list of the system is not used: the name that is resolved is the
 * name that the policy has judged, and no other.
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
import { NameNotFound, ResolutionTimeout, type ResolveError } from "../Errors.ts"
import * as DnsCache from "./DnsCache.ts"
import { NetworkSettings } from "./Settings.ts"

/** The addresses of a name, at least one, in the order in which to try them. */
export type Addresses = Arr.NonEmptyReadonlyArray<NetAddress.IpAddress>

/**
 * The addresses of a name.
 *
 * **When to use**
 *
 * Replace it to ask other name servers, or provide `Resolver.layerFixed` for names of your own. Each address is
 * judged by the policy before it is dialled.
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
    /** The addresses of a name, in the order in which to try them. */
    readonly resolve: (name: Host.DomainName) => Effect.Effect<Addresses, ResolveError>
  }
>()("effect-socks/network/Resolver") {
  /** The name servers and the hosts file of this machine. Answers are kept as long as their TTL allows. */
  static readonly layer: Layer.Layer<Resolver, never, NetworkSettings> = Layer.effect(
    Resolver,
    Effect.gen(function* () {
      const { resolveTimeout } = yield* NetworkSettings
      const cache = yield* DnsCache.make(resolveTimeout)
      // Read again now and then: they change when a machine changes networks.
      const system = yield* Effect.cachedWithTTL(readSystem, "10 seconds")
      return {
        resolve: (name) =>
          Effect.flatMap(system, (current) => resolveWith(current, cache, name)).pipe(
            Effect.timeoutOrElse({
              duration: resolveTimeout,
              orElse: () => Effect.fail(new ResolutionTimeout({ name }))
            })
          )
      }
    })
  )

  /** Always these addresses: for tests, and for servers that must not ask anyone. */
  static readonly layerFixed = (table: Readonly<Record<string, Addresses>>): Layer.Layer<Resolver> =>
    Layer.succeed(Resolver, {
      resolve: (name) => {
        // Names such as `constructor` are in every object.
        const addresses = Object.hasOwn(table, name) ? table[name] : undefined
        return addresses ? Effect.succeed(addresses) : Effect.fail(new NameNotFound({ name }))
      }
    })
}

/** The addresses of a host: its own, if it is one. */
export const addressesOf = (
  host: NetAddress.IpAddress | Host.DomainName
): Effect.Effect<Addresses, ResolveError, Resolver> =>
  NetAddress.isIpAddress(host)
    ? Effect.succeed([host])
    : Effect.flatMap(Resolver, ({ resolve }) => resolve(host))

/** How names are resolved on this machine. */
interface System {
  readonly servers: DnsCache.Servers
  readonly hosts: Host.HostsTable
}

const readSystem: Effect.Effect<System> = Effect.gen(function* () {
  const [hosts, conf] = yield* Effect.all([readText("/etc/hosts"), readText("/etc/resolv.conf")])
  return {
    // Of other servers, the answers may be others.
    servers: { key: conf, queries: new Queries({ timeout: 2000, tries: 2 }) },
    hosts: Host.parseHostsFile(hosts)
  }
})

const readText = (path: string): Effect.Effect<string> =>
  Effect.promise(() => readFile(path, "utf8").catch(() => ""))

const resolveWith = (
  { servers, hosts }: System,
  cache: DnsCache.DnsCache,
  name: Host.DomainName
): Effect.Effect<Addresses, ResolveError> => {
  // RFC 6761 §6.3: the name servers are not asked about localhost.
  if (name === "localhost" || name.endsWith(".localhost")) return Effect.succeed(NetAddress.loopbackAddresses)
  const known = hosts.get(name)
  return known ? Effect.succeed(known) : query(servers, cache, name)
}

/** Time the other family has after one has answered (RFC 8305 §3). */
const resolutionDelay = "50 millis"

/** Asks for both families at once; when one has answered, the other has a moment left. */
const query = Effect.fnUntraced(function* (
  servers: DnsCache.Servers,
  cache: DnsCache.DnsCache,
  name: Host.DomainName
): Effect.fn.Return<Addresses, ResolveError> {
  const answered = Deferred.makeUnsafe<void>()
  const family = (version: 4 | 6) =>
    cache.lookup(servers, name, version).pipe(
      Effect.tap((addresses) =>
        addresses.length === 0 ? Effect.void : Deferred.succeed(answered, undefined)
      ),
      Effect.raceFirst(
        Deferred.await(answered).pipe(Effect.andThen(Effect.sleep(resolutionDelay)), Effect.as([]))
      ),
      Effect.result
    )
  const answers = yield* Effect.all([family(6), family(4)], { concurrency: "unbounded" })
  const [v6, v4] = answers.map(Result.getOrElse((): ReadonlyArray<NetAddress.IpAddress> => []))
  const addresses = interleave(v6!, v4!)
  if (Arr.isReadonlyArrayNonEmpty(addresses)) return addresses
  const failure = answers.find(Result.isFailure)
  return yield* failure ? failure.failure : new NameNotFound({ name })
})

/** Families by turns, IPv6 first (RFC 8305 §4). */
const interleave = <A>(first: ReadonlyArray<A>, second: ReadonlyArray<A>): Array<A> =>
  Array.from({ length: Math.max(first.length, second.length) }, (_, i) => [
    ...first.slice(i, i + 1),
    ...second.slice(i, i + 1)
  ]).flat()
