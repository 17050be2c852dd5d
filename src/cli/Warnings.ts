/**
 * Warnings about settings that are valid but probably a mistake, one sentence each: for
 * `check`, and for the log of a server.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { User } from "../auth/User.ts"
import * as UserParameters from "../auth/UserParameters.ts"
import * as UsersSource from "../auth/UsersSource.ts"
import * as Slices from "../base/Slices.ts"
import * as EgressSource from "../config/EgressSource.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import { nameOf } from "../config/Rule.ts"
import * as RuleLint from "../config/RuleLint.ts"
import { having } from "../config/RuleTable.ts"
import * as Sources from "../config/Sources.ts"
import * as Variables from "../config/Variables.ts"
import * as FleetUrl from "../fleet/FleetUrl.ts"
import * as Interfaces from "../network/Interfaces.ts"
import * as AddressWait from "../server/AddressWait.ts"
import { printable } from "../wire/Text.ts"
import * as Settings from "./Settings.ts"
import * as UnencryptedUdp from "./UnencryptedUdp.ts"

/** The warnings about these settings and these environment variables. */
export const of = Effect.fnUntraced(function* (
  { values, texts }: Settings.Read,
  variables: ReadonlyArray<string>
): Effect.fn.Return<ReadonlyArray<string>> {
  const { rules, listen, tls, authToken, authUrl, admin, adminToken, fleet } = values
  // Mistakes in the users are reported elsewhere.
  const users = yield* Effect.orElseSucceed(UsersSource.everyone(values), () => [])
  return [
    ...[
      ...(yield* Slices.run(RuleLint.idle(rules))),
      ...(yield* Slices.run(RuleLint.withoutListener(rules, listen)))
    ].map((sentence) => `rules: ${sentence}`),
    ...byAddressOnly(values),
    ...values.routes
      .filter(({ isDirect, members }) => !isDirect && members.length === 0)
      .map(({ name }) => `routes: ${name} has no member, so every session that takes it fails`),
    ...listen
      .filter((at) => UnencryptedUdp.isAt(at, values))
      .map(
        (at) =>
          `listen: datagrams of ${ListenAddress.format(at)} go in the clear, and those of anyone at a client's ` +
          "address are taken for the client's; udp-strict has clients declare their ports"
      ),
    ...(sendsNames(values)
      ? [
          "names=upstream: the upstream resolves the names of targets again, so rules about addresses and the guard of " +
            "private networks hold only as far as the upstream comes to the same addresses"
        ]
      : []),
    ...(tls === "auto"
      ? ["tls: auto is for trying: the certificate is self-signed, and another after each start"]
      : []),
    ...(authToken !== undefined && authUrl === undefined
      ? ["auth-token: there is no auth-url that it would be for"]
      : []),
    ...(admin?._tag === "HostPort" && adminToken !== undefined && Redacted.value(adminToken).length < shortest
      ? [`admin-token: it can be guessed: ${shortest} random characters or more cannot`]
      : []),
    ...(yield* missing("egress", values.egress)),
    ...(yield* Effect.forEach(values.routes, ({ name, egress }) =>
      missing(`egress of the route ${name}`, egress)
    )).flat(),
    ...exposed(fleet),
    ...expired(users, yield* Clock.currentTimeMillis),
    ...lockedOut(users, values),
    ...misread(users, values),
    ...strange(variables, [...texts.values()])
  ]
})

/** The least characters of the token of the admin listener. */
const shortest = 16

/** A store of a fleet that is reached in the clear. */
const exposed = (fleet: Settings.Read["values"]["fleet"]): ReadonlyArray<string> => {
  const url = fleet && Option.getOrUndefined(FleetUrl.parse(Redacted.value(fleet)))
  if (!url?.isExposed) return []
  const what = url.password === undefined ? "" : ", its password too"
  return [
    `fleet: what this machine and ${url.shown} tell each other goes in the clear${what}: use rediss:// where the ` +
      "network in between is not trusted"
  ]
}

/** Addresses and interfaces that this machine does not have. Networks are not looked at: their addresses need a local route only. */
const missing = Effect.fnUntraced(function* (
  what: string,
  egress: ReadonlyArray<EgressSource.EgressSource>
): Effect.fn.Return<ReadonlyArray<string>> {
  const found: Array<string> = []
  for (const source of egress) {
    if (source._tag === "Interface") {
      const isThere = [true, false].some((isIpv4) => Interfaces.find(source.name, isIpv4) !== undefined)
      if (!isThere)
        found.push(`${what}: this machine has no interface ${source.name}, or the interface has no address`)
    } else if (!EgressSource.isChosen(source) && (yield* AddressWait.isAbsent(source.network.address))) {
      const address = NetAddress.formatIp(source.network.address)
      found.push(
        `${what}: this machine does not have ${address}, so no session leaves from there unless a local route has it`
      )
    }
  }
  return found
})

/** Rules that take a route with name servers by addresses, which nobody knows before name servers are asked. */
const byAddressOnly = ({ rules, routes }: Settings.Read["values"]): ReadonlyArray<string> => {
  const asking = new Set(routes.filter(({ dns }) => dns.length > 0).map(({ name }) => name))
  const found: Array<string> = []
  for (const [index, rule] of asking.size === 0 ? [] : having(rules, "route")) {
    const isByAddress = rule.to?.every(({ host }) => host._tag === "Network") === true
    if (!isByAddress || !asking.has(rule.route!)) continue
    found.push(
      `rules: ${nameOf(rule, index)} takes the route ${rule.route} by addresses only: names that lead to these are ` +
        "found by other name servers, and denied"
    )
    if (found.length === most) break
  }
  return found
}

/** Whether an upstream gets names of targets. */
const sendsNames = ({ upstream, routes }: Settings.Read["values"]): boolean =>
  [upstream, ...routes.flatMap(({ members }) => members.map(({ via }) => via))].some(
    (via) => via.at(-1)?.sendsNames === true
  )

/** Logs the warnings. */
export const log = (read: Settings.Read): Effect.Effect<void> =>
  Effect.flatMap(of(read, Object.keys(process.env)), (warnings) =>
    Effect.forEach(warnings, (warning) => Effect.logWarning(warning), { discard: true })
  )

const expired = (users: ReadonlyArray<User>, now: number): ReadonlyArray<string> =>
  listed(
    "expired, and not let in",
    users.filter(({ expires = Infinity }) => expires <= now)
  )

/** Users with neither a password nor its hash, where no certificate lets them in. */
const lockedOut = (
  users: ReadonlyArray<User>,
  { tlsClientCa }: Settings.Read["values"]
): ReadonlyArray<string> =>
  tlsClientCa === undefined
    ? listed(
        "cannot log in, without a password, password-hash or tls-client-ca",
        users.filter(({ password, passwordHash }) => password === undefined && passwordHash === undefined)
      )
    : []

/** Users whose names are read as other names with parameters. */
const misread = (
  users: ReadonlyArray<User>,
  { userParameters }: Settings.Read["values"]
): ReadonlyArray<string> =>
  userParameters.length === 0
    ? []
    : listed(
        "cannot log in by a password, as user-parameters reads parameters in their names",
        users.filter(({ name }) => {
          const read = UserParameters.read(userParameters, name)
          return "refused" in read || read.user !== name
        })
      )

const listed = (what: string, users: ReadonlyArray<User>): ReadonlyArray<string> => {
  if (users.length === 0) return []
  const names = users.slice(0, most).map(({ name }) => printable(name))
  const more = users.length > most ? `, and ${users.length - most} more` : ""
  return [`users: ${what}: ${names.join(", ")}${more}`]
}

const most = 10

/** Variables that begin with SOCKS_, are no setting, and are not used in the config file. */
const strange = (variables: ReadonlyArray<string>, texts: ReadonlyArray<string>): ReadonlyArray<string> => {
  const used = new Set(texts.flatMap((text) => [...Variables.names(text)]))
  return Sources.strangers(
    Settings.table,
    variables.filter((variable) => !used.has(variable))
  )
}
