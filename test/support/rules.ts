/**
 * Rules, what they are asked, and how plainly it could be answered.
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import * as Slices from "../../src/base/Slices.ts"
import * as Rule from "../../src/config/Rule.ts"
import * as TargetPattern from "../../src/config/TargetPattern.ts"
import type { Access } from "../../src/policy/Access.ts"
import * as Explain from "../../src/policy/Explain.ts"
import type { Target } from "../../src/wire/Target.ts"

/** Rules as they are written. */
export const read = (...rules: ReadonlyArray<unknown>): ReadonlyArray<Rule.Rule> =>
  Schema.decodeUnknownSync(Rule.list)(rules, { onExcessProperty: "error" }) as ReadonlyArray<Rule.Rule>

export const ip = NetAddress.ipFromStringUnsafe

/** `host:port`, as a client asked for it. */
export const targetOf = (text: string): Target => {
  const { host, ports } = Option.getOrThrow(TargetPattern.fromString(text))
  const port = ports?.[0] ?? 443
  if (host._tag === "Name") return { host: host.name, port }
  if (host._tag === "Network") return { host: host.network.address, port }
  throw new Error(`${text} is no target`)
}

export interface Asked {
  readonly user?: string
  readonly groups?: ReadonlyArray<string>
  readonly client?: string
  readonly listener?: string
  readonly protocol?: Access["protocol"]
  readonly command?: Access["command"]
  /** Nothing for ASSOCIATE itself. */
  readonly to?: string | undefined
}

export const access = ({
  user,
  groups,
  client = "192.0.2.1",
  listener = "127.0.0.1:1080",
  protocol = "SOCKS5",
  command = "CONNECT",
  to
}: Asked): Access => ({
  identity: { user, ...(groups && { groups }) },
  client: client === "unix" ? undefined : ip(client),
  listener,
  protocol,
  command,
  target: to === undefined ? undefined : targetOf(to)
})

/** The explanation of a decision: all of its steps. */
export const steps = (
  rules: ReadonlyArray<Rule.Rule>,
  ...asked: Parameters<Explain.Explainer>
): ReadonlyArray<Explain.Step> => {
  const explainer = Slices.runSync(Explain.make(rules, Number.POSITIVE_INFINITY))
  return Slices.runSync(explainer(...asked)).last
}

/** The first rule that matches an access of which all is known; none is -1. */
export const naive = (
  rules: ReadonlyArray<Rule.Rule>,
  { identity, client, listener, protocol, command, target }: Access & { readonly target: Target },
  address: NetAddress.IpAddress
): number =>
  rules.findIndex((rule) => {
    const has = <A>(values: ReadonlyArray<A> | undefined, fits: (value: A) => boolean) =>
      values === undefined || values.some(fits)
    const inPorts = (ports: readonly [number, number] | undefined) =>
      ports === undefined || (ports[0] <= target.port && target.port <= ports[1])
    const { host } = target
    return (
      has(rule.users, (user) => user === identity.user) &&
      has(rule.groups, (group) => identity.groups?.includes(group) === true) &&
      has(rule.clients, (network) => client !== undefined && IpNetwork.contains(network, client)) &&
      has(rule.listeners, (name) => name === listener) &&
      has(rule.protocols, (name) => name === protocol.toLowerCase()) &&
      has(rule.commands, (name) => name === command.toLowerCase()) &&
      has(rule.ports, inPorts) &&
      has(rule.to, (pattern) => {
        if (!inPorts(pattern.ports)) return false
        if (pattern.host._tag === "Network") return IpNetwork.contains(pattern.host.network, address)
        if (pattern.host._tag === "Any") return true
        if (typeof host !== "string") return false
        if (pattern.host._tag === "AnyName") return true
        return pattern.host._tag === "Name"
          ? pattern.host.name === host
          : host.endsWith(`.${pattern.host.suffix}`)
      })
    )
  })

/** Every 16th of IPv4 and of IPv6: networks of up to 4 bits cannot tell more apart. */
export const universe = Array.from({ length: 16 }, (_, i) => [
  ip(`${i * 16}.0.0.1`),
  ip(`${(i * 4096).toString(16)}::1`)
]).flat()

const networks = [
  ...["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "0.0.0.0/2", "64.0.0.0/2", "192.0.0.0/2", "16.0.0.0/4"],
  ...["::/0", "::/1", "8000::/1", "4000::/2", "1000::/4"]
]
const names = ["a.example", "b.example", "x.a.example", "*.example", "*.a.example", "**", "*", "other.test"]

const some = <A>(arbitrary: fc.Arbitrary<A>, maxLength = 3) =>
  fc.array(arbitrary, { minLength: 1, maxLength })

const pattern = fc
  .tuple(
    fc.constantFrom(...networks, ...names),
    fc.option(fc.constantFrom("25", "80-443"), { nil: undefined })
  )
  .map(([host, port]) => (port === undefined ? host : `${host.includes("::") ? `[${host}]` : host}:${port}`))

/** Rules as they are written, of few words, so that many meet. */
export const writtenRule = fc
  .tuple(
    fc.constantFrom({ allow: true }, { deny: true }, { deny: "no" }),
    fc.record(
      {
        users: some(fc.constantFrom("alice", "bob"), 2),
        groups: some(fc.constantFrom("staff", "admin"), 2),
        clients: some(fc.constantFrom("10.0.0.0/8", "10.1.0.0/16", "fd00::/8", "10.1.2.3"), 2),
        listeners: some(fc.constantFrom("127.0.0.1:1080", "unix:/run/s"), 2),
        commands: some(fc.constantFrom("connect", "bind", "associate"), 2),
        protocols: some(fc.constantFrom("socks5", "socks4", "http"), 2),
        ports: some(fc.constantFrom(25, "1-100", "400-500"), 2)
      },
      { requiredKeys: [] }
    ),
    fc.option(fc.record({ to: some(pattern) }), { nil: {}, freq: 4 })
  )
  .map(([verdict, conditions, to]) => {
    // Mostly one condition or two, or nothing would ever match.
    const kept = Object.entries(conditions).slice(0, 2)
    return { ...verdict, ...Object.fromEntries(kept), ...to }
  })

export const asked: fc.Arbitrary<Asked> = fc.record(
  {
    user: fc.constantFrom("alice", "bob", "carol"),
    groups: fc.subarray(["staff", "admin", "guests"]),
    client: fc.constantFrom("10.1.2.3", "10.2.0.1", "192.0.2.1", "fd00::1", "unix"),
    listener: fc.constantFrom("127.0.0.1:1080", "unix:/run/s", "127.0.0.1:1081"),
    protocol: fc.constantFrom("SOCKS5", "SOCKS4", "HTTP"),
    command: fc.constantFrom("CONNECT", "BIND", "ASSOCIATE")
  },
  { requiredKeys: [] }
)

export const hosts = ["a.example", "b.example", "x.a.example", "y.x.a.example", "example", "other.test"]

export const port = fc.constantFrom(25, 80, 443, 8080)
