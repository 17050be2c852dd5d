/**
 * The address from which a session leaves. Of several addresses one is chosen by a keyed hash of what the session is about:
 * so the same user, for example, always leaves from the same address, on every machine with these settings, and no table is
 * kept.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as Hmac from "../base/Hmac.ts"
import type { Digest } from "../base/KeyedHash.ts"
import * as EgressSource from "../config/EgressSource.ts"
import { BadSetting } from "../Errors.ts"
import * as Interfaces from "../network/Interfaces.ts"
import { CurrentSource, type Source } from "../network/Source.ts"
import type { Access } from "../policy/Access.ts"
import type { JudgedTarget, Route } from "./Route.ts"
import * as SessionKey from "./SessionKey.ts"
import type { RouteSettings } from "./Settings.ts"

/** The settings, and the parameter of user names that has a time to live. */
type Settings = Pick<RouteSettings["Service"], "egressBy" | "egressKey"> & {
  readonly ttl: SessionKey.KeyOptions["ttl"]
}

/** The sources of sessions. */
export interface Egress {
  /** The source of a session at a time in milliseconds since the epoch. */
  readonly of: (access: Pick<Access, "identity" | "client">, now: number) => Source
  /** The source of what belongs to no session, such as health checks. */
  readonly common: Source
}

/** Fails if addresses have to be chosen, and there is no key to choose by. */
export const make = (
  sources: ReadonlyArray<EgressSource.EgressSource>,
  { egressBy, egressKey, ttl }: Settings
): Effect.Effect<Egress, BadSetting> => {
  const isChosen = sources.some(EgressSource.isChosen) || hasSeveral(sources)
  if (isChosen && egressKey === undefined) {
    const expected = "given, but several addresses need it, as one of them is chosen by it"
    return Effect.fail(new BadSetting({ setting: "--egress-key", value: "the key", expected }))
  }
  const digest = Hmac.digest(btoa(egressKey === undefined ? "" : Redacted.value(egressKey)))
  const of = (key: string): Source => {
    const kept = new Map<boolean, NetAddress.IpAddress | undefined>()
    return {
      of: (isIpv4) => {
        if (!kept.has(isIpv4)) kept.set(isIpv4, choose(sources, isIpv4, digest, key))
        return kept.get(isIpv4)
      }
    }
  }
  const keyOf = (access: Pick<Access, "identity" | "client">, now: number): string => {
    const ways = egressBy === "client" ? ["client"] : [egressBy, "user", "client"]
    for (const by of ways) {
      const key = SessionKey.of(access, { by, ttl }, now)
      if (key !== undefined) return key
    }
    return "client "
  }
  return Effect.succeed({ of: (access, now) => of(keyOf(access, now)), common: of("") })
}

/** The route, from the addresses of `egress`. `name` is that of the route in the log. */
export const around = (route: Route, egress: Egress, name = "direct"): Route => {
  const { keyOf } = route
  const within = <A, E, R>(source: Source, effect: Effect.Effect<A, E, R>) =>
    Effect.provideService(effect, CurrentSource, source)
  const sourceOf = ({ access, since }: Pick<JudgedTarget, "access" | "since">) =>
    Effect.clockWith((clock) => Effect.succeed(egress.of(access, since ?? clock.currentTimeMillisUnsafe())))
  const connected = (connect: Route["connect"], to: JudgedTarget) =>
    Effect.flatMap(sourceOf(to), (source) => {
      if (to.log) to.log.way ??= { route: name }
      return within(source, connect(to))
    })
  const { forward } = route
  return {
    ...route,
    connect: (to) =>
      Effect.map(connected(route.connect, to), ({ outgoing, decision }) => ({
        // An upstream leaves from an address of its own.
        outgoing: { ...outgoing, way: outgoing.way ?? { route: name, egress: outgoing.local.address } },
        decision
      })),
    ...(forward && { forward: (to) => connected(forward, to) }),
    listen: (to, local) =>
      NetAddress.isIpAddress(to)
        ? within(egress.common, route.listen(to, local))
        : Effect.flatMap(sourceOf(to), (source) => within(source, route.listen(to, local))),
    datagrams: (to, share) =>
      Effect.flatMap(sourceOf(to), (source) => {
        if (to.log) to.log.way ??= { route: name }
        return Effect.map(within(source, route.datagrams(to, share)), (found) => {
          const egress = source.of(NetAddress.isIpv4Address(found.address))
          // An upstream leaves from an address of its own.
          if (to.log?.way && egress && found.relay === undefined) to.log.way = { ...to.log.way, egress }
          return { source, ...found }
        })
      }),
    keyOf: (access, permitted, now) => {
      const key = keyOf === undefined ? name : keyOf(access, permitted, now)
      const source = egress.of(access, now).of(NetAddress.isIpv4Address(permitted.address))
      return key === undefined ? undefined : `${key} ${source && NetAddress.formatIp(source)}`
    }
  }
}

const isOf = (source: EgressSource.EgressSource, isIpv4: boolean): boolean =>
  source._tag === "Interface" || NetAddress.isIpv4Address(source.network.address) === isIpv4

const hasSeveral = (sources: ReadonlyArray<EgressSource.EgressSource>): boolean =>
  [true, false].some((isIpv4) => sources.filter((source) => isOf(source, isIpv4)).length > 1)

const choose = (
  sources: ReadonlyArray<EgressSource.EgressSource>,
  isIpv4: boolean,
  digest: Digest,
  key: string
): NetAddress.IpAddress | undefined => {
  const candidates = sources.filter((source) => isOf(source, isIpv4))
  const [first] = candidates
  if (first === undefined) return undefined
  const isChosen = candidates.length > 1 || EgressSource.isChosen(first)
  const hash = isChosen ? bitsOf(digest(utf8.encode(key))) : 0n
  const source = candidates[Number(hash % BigInt(candidates.length))]!
  if (source._tag === "Interface") return Interfaces.find(source.name, isIpv4)
  const { address, prefixLength } = source.network
  const size = 1n << BigInt(NetAddress.width(address) - prefixLength)
  return size === 1n ? address : plus(address, (hash / BigInt(candidates.length)) % size)
}

/** 128 bits of a hash. */
const bitsOf = (hash: string): bigint =>
  Array.from(atob(`${hash}==`)).reduce((bits, byte) => (bits << 8n) | BigInt(byte.charCodeAt(0)), 0n)

/** The address at this place of the network that begins with `first`. */
const plus = (first: NetAddress.IpAddress, index: bigint): NetAddress.IpAddress => {
  const isIpv4 = NetAddress.isIpv4Address(first)
  const octets = Uint8Array.from(isIpv4 ? NetAddress.ipv4ToOctets(first) : NetAddress.ipv6ToOctets(first))
  let rest = index
  for (let at = octets.length - 1; rest > 0n; at--) {
    octets[at] = octets[at]! | Number(rest & 0xffn)
    rest >>= 8n
  }
  return isIpv4 ? NetAddress.ipv4FromBytesUnsafe(octets) : NetAddress.ipv6FromBytesUnsafe(octets)
}

const utf8 = new TextEncoder()
