/**
 * The route through upstreams.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as ClientNetwork from "../base/ClientNetwork.ts"
import { inOwnScope } from "../base/OwnScope.ts"
import { type DialError, type LimitError, LoopDetected } from "../Errors.ts"
import type { Way } from "../network/Dialer.ts"
import { NetworkSettings } from "../network/Settings.ts"
import type { Access } from "../policy/Access.ts"
import type { Permitted } from "../policy/Authorize.ts"
import * as Authorize from "../policy/Authorize.ts"
import * as HttpConnect from "../wire/HttpConnect.ts"
import * as HttpFields from "../wire/HttpFields.ts"
import * as Target from "../wire/Target.ts"
import { mostTelling } from "./Attempts.ts"
import * as Chain from "./Chain.ts"
import * as Datagrams from "./Datagrams.ts"
import { ipv4First } from "./Direct.ts"
import * as Failover from "./Failover.ts"
import * as Labels from "./Labels.ts"
import * as Listen from "./Listen.ts"
import type { Asked, Member, Pool } from "./Pool.ts"
import type { Connected, JudgedTarget, Route } from "./Route.ts"
import * as SessionKey from "./SessionKey.ts"

/** Connects by the members of a pool. `sticky` says what sessions have in common that get the same member. */
export const make = (pool: Pool, sticky: SessionKey.KeyOptions | undefined): Route => {
  const { route } = pool
  const ask = ({ access, since, via }: Pick<JudgedTarget, "access" | "since" | "via">) =>
    Effect.clockWith((clock): Effect.Effect<Asked, LoopDetected> => {
      // A request that has come back may still end here, on a route that is direct.
      if (via !== undefined && HttpFields.hasPassed([via.before], via.pseudonym)) {
        return Effect.fail(new LoopDetected())
      }
      const asked = askedBy(pool, sticky, access, since ?? clock.currentTimeMillisUnsafe())
      return Effect.succeed({ ...asked, flow: flowOf(access) })
    })
  return {
    connect: (to) =>
      Effect.flatMap(ask(to), (asked) =>
        Failover.use(pool, asked, (member, progress) => connect(pool, member, progress, to), to.log)
      ),
    forward: (to) =>
      Effect.flatMap(ask(to), (asked) =>
        Failover.use(
          pool,
          asked,
          (member, progress) => (takesRequests(member, to) ? hand : connect)(pool, member, progress, to),
          to.log
        )
      ),
    listen: (to) =>
      NetAddress.isIpAddress(to)
        ? Failover.use(pool, anyMember, (member, progress) => Listen.listen(member, progress, to))
        : Effect.flatMap(ask(to), (asked) =>
            Failover.use(pool, asked, (member, progress) => Listen.listen(member, progress, to), to.log)
          ),
    carriesDatagrams: pool.members.some(Datagrams.canAssociate),
    datagrams: Effect.fnUntraced(function* (to, share) {
      const { access, permitted, chargeRule } = to
      const [{ address }, charge] = yield* Authorize.firstWithRoom(ipv4First(permitted), chargeRule)
      const { flow, ...asked } = yield* ask(to)
      const { connectTimeout } = yield* NetworkSettings
      const associate = Effect.flatMap(
        pool.relays.turn(flow!, connectTimeout, (turn) =>
          Failover.inTime(pool, turn, connectTimeout, to.log)
        ),
        (turn) =>
          Failover.use(
            pool,
            asked,
            (member, progress) =>
              Effect.map(Datagrams.associate(member, progress), (relay) =>
                Object.assign(relay, { way: Failover.wayOf(pool, member), onDatagram: () => turn.end(true) })
              ),
            to.log
          )
      )
      const relay = yield* share(`${route} ${textOf(asked)}`, associate)
      if (to.log && relay.way) to.log.way = relay.way
      return { remote: NetAddress.inetAddressUnsafe(address, access.target.port), address, charge, relay }
    }),
    // A connection that is kept would be used by sessions that get another member.
    keyOf: (access, _, now) => {
      const asked = askedBy(pool, sticky, access, now)
      if (pool.members.length > 1 && asked.key === undefined) return undefined
      return `${route} ${pool.fingerprint} ${textOf(asked)}`
    }
  }
}

const anyMember: Asked = { key: undefined, labels: [], by: undefined, flow: "any sender" }

/** The sessions of one client to one target. */
const flowOf = ({ identity, client, target }: JudgedTarget["access"]): string =>
  `${identity.user ?? ""} ${client ? NetAddress.formatIp(client) : ""} ${Target.format(target)}`

/** What a session asks of its member at a time in milliseconds since the epoch. */
export const askedBy = (
  { labels }: Pool,
  sticky: SessionKey.KeyOptions | undefined,
  access: Access,
  now: number
): Asked => ({
  key: sticky && SessionKey.of(access, sticky, now),
  labels: labels.length === 0 ? [] : Labels.wantedBy(access, labels),
  by: access.identity.user ?? (access.client && ClientNetwork.nameOf(access.client))
})

const textOf = ({ key = "", labels }: Asked): string => `${Labels.format(labels)} ${key}`

/**
 * Connects to the target by its name, if the last upstream gets names. Otherwise tries the judged addresses one after the
 * other, IPv4 first, as upstreams without IPv6 are common. What is wrong with an upstream ends the attempts.
 */
const connect = (
  pool: Pool,
  member: Member,
  progress: Chain.Progress,
  { access: { target }, permitted, chargeRule, via }: JudgedTarget
): Effect.Effect<Connected, DialError | LimitError, Chain.Services> => {
  const { hops } = member
  progress.via = viaText(via)
  const isByName = hops[hops.length - 1]!.upstream.sendsNames && !NetAddress.isIpAddress(target.host)
  const attempt = ({ address, decision }: Permitted) =>
    Effect.andThen(
      chargeRule(decision),
      Effect.suspend(() => {
        const asked = isByName ? target : { host: address, port: target.port }
        return Effect.map(
          inOwnScope(Chain.connect(hops, asked, progress)),
          ({ transport, early, local, bound }): Connected => {
            const remote = NetAddress.inetAddressUnsafe(address, target.port)
            const way = wayOf(pool, member, bound ?? local)
            return { outgoing: { transport, early, local: bound ?? local, remote, way }, decision }
          }
        )
      })
    )
  return isByName || permitted.length === 1
    ? attempt(permitted[0])
    : inTurn(ipv4First(permitted).slice(0, most), attempt)
}

const viaText = (via: JudgedTarget["via"]): string | undefined => via && `${via.before} ${via.pseudonym}`

/** The result of the first address that the upstream connects to. */
const inTurn = Effect.fnUntraced(function* <A, R>(
  addresses: ReadonlyArray<Permitted>,
  attempt: (permitted: Permitted) => Effect.Effect<A, DialError | LimitError, R>
): Effect.fn.Return<A, DialError | LimitError, R> {
  const errors: Array<DialError | LimitError> = []
  for (const each of addresses) {
    const result = yield* Effect.result(attempt(each))
    if (Result.isSuccess(result)) return result.success
    if (!isOfTarget(result.failure)) return yield* result.failure
    errors.push(result.failure)
  }
  return yield* mostTelling(errors, errors[0]!)
})

/**
 * Whether the last upstream takes the request in absolute form. It would resolve the name in the request, so it does only
 * if it is to get names, or if there is none.
 */
const takesRequests = ({ hops }: Member, { access }: JudgedTarget): boolean => {
  const { kind, sendsNames } = hops[hops.length - 1]!.upstream
  return kind === "http" && (sendsNames || NetAddress.isIpAddress(access.target.host))
}

/** A connection to the last upstream, which takes the request in absolute form. */
const hand = Effect.fnUntraced(function* (
  pool: Pool,
  member: Member,
  progress: Chain.Progress,
  { access: { target }, permitted, chargeRule, via }: JudgedTarget
): Effect.fn.Return<Connected, DialError | LimitError, Chain.Services> {
  const { hops } = member
  progress.via = viaText(via)
  const [{ address, decision }] = permitted
  yield* chargeRule(decision)
  const { transport, early, local } = yield* inOwnScope(Chain.connectToLast(hops, progress))
  const { upstream: last, shown } = hops[hops.length - 1]!
  const authorization = last.credentials && Redacted.make(HttpConnect.basic(Redacted.value(last.credentials)))
  return {
    outgoing: {
      ...{ transport, early, local, remote: NetAddress.inetAddressUnsafe(address, target.port) },
      way: wayOf(pool, member, local),
      upstream: { url: shown, authorization }
    },
    decision
  }
})

/** The way of a session. A Unix-domain socket has no address. */
const wayOf = (pool: Pool, member: Member, { address }: NetAddress.InetAddress): Way => ({
  ...Failover.wayOf(pool, member),
  ...(NetAddress.isUnspecified(address) ? {} : { egress: address })
})

/** The most addresses of a target that are tried. */
const most = 4

/** Whether another address of the target may do better. */
const isOfTarget = ({ _tag }: DialError | LimitError): boolean => ofTarget.has(_tag)

const ofTarget: ReadonlySet<string> = new Set([
  "ConnectionRefused",
  "NetworkUnreachable",
  "HostUnreachable",
  "ConnectTimeout",
  "AddressFamilyUnavailable",
  "ConnectFailed",
  "SessionLimitReached",
  "TooManyNewSessions",
  "QuotaExceeded"
])
