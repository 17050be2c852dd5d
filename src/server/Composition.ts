/**
 * The layer graph of a server, for the program, the library, workers and the testing kit alike.
 */
import * as Layer from "effect/Layer"
import { Authenticator } from "../auth/Authenticator.ts"
import * as RememberedLogins from "../auth/RememberedLogins.ts"
import { Bans } from "../bans/Bans.ts"
import * as BansFile from "../bans/BansFile.ts"
import * as KnownFile from "../bans/KnownFile.ts"
import * as Hmac from "../base/Hmac.ts"
import { OriginPool } from "../commands/OriginPool.ts"
import type { BadSetting, BadSettings, StateFailed } from "../Errors.ts"
import { Bandwidth } from "../limits/Bandwidth.ts"
import { Quotas } from "../limits/Quotas.ts"
import { AddressHistory } from "../network/AddressHistory.ts"
import { Binder } from "../network/Binder.ts"
import { Dialer } from "../network/Dialer.ts"
import { Nat64 } from "../network/Nat64.ts"
import { Pseudonym } from "../network/Pseudonym.ts"
import { Relay } from "../network/Relay.ts"
import { Resolver } from "../network/Resolver.ts"
import { AutoConfig } from "../policy/AutoConfig.ts"
import { LocalAddresses } from "../policy/LocalAddresses.ts"
import { Policy } from "../policy/Policy.ts"
import * as MemberStates from "../routes/MemberStates.ts"
import * as RouteNames from "../routes/RouteNames.ts"
import * as Routes from "../routes/Routes.ts"
import * as EventLog from "../session/EventLog.ts"
import * as EventSources from "../session/EventSources.ts"
import { Events } from "../session/Events.ts"
import { SessionRegistry } from "../session/SessionRegistry.ts"
import { DatagramRelay } from "../udp/DatagramRelay.ts"
import type { UsageRecords } from "../usage/UsageRecords.ts"
import * as AuthLayer from "./AuthLayer.ts"
import type * as Config from "./Config.ts"
import type * as Generation from "./Generation.ts"

/** A layer that makes a service from the settings. */
type Made<Service> = Layer.Layer<Service, BadSetting | BadSettings, Config.Sections>

/** Services in place of this package's own. */
export interface Replacements {
  readonly authenticator?: Made<Authenticator> | undefined
  readonly policy?: Made<Policy> | undefined
  readonly resolver?: Made<Resolver> | undefined
  readonly dialer?: Made<Dialer> | undefined
  readonly binder?: Made<Binder> | undefined
  readonly relay?: Made<Relay> | undefined
  readonly datagramRelay?: Made<DatagramRelay> | undefined
  /** A layer of `CurrentRoute`. */
  readonly route?: Made<never> | undefined
}

/** The services that are made from the settings, and again at each reload. */
export const services = (
  replacements: Replacements = {}
): Made<Exclude<Generation.Services, Config.Sections>> => {
  const resolver = replacements.resolver ?? Resolver.layer
  const translator = Layer.provide(Nat64.layer, resolver)
  const dialer = replacements.dialer ?? Layer.provide(Dialer.layer, translator)
  return Layer.mergeAll(
    replacements.authenticator ?? AuthLayer.layer,
    replacements.policy ?? Layer.provide(Policy.layer, LocalAddresses.layer),
    resolver,
    translator,
    dialer,
    replacements.binder ?? Binder.layer,
    replacements.relay ?? Relay.layer,
    replacements.datagramRelay ?? DatagramRelay.layer,
    OriginPool.layer,
    AddressHistory.layer,
    AutoConfig.layer,
    replacements.resolver === undefined ? RouteNames.layer : RouteNames.layerOfOwn,
    Routes.withEgress(replacements.route ?? Layer.provide(Routes.layer, [resolver, dialer]))
  )
}

/** What the services of all generations of a server share, to be made once: recent logins, and the members of routes. */
export const lasting = (remembered: RememberedLogins.RememberedLogins): Layer.Layer<never> =>
  Layer.merge(
    Layer.succeed(RememberedLogins.RememberedLogins, remembered),
    Layer.succeed(MemberStates.CurrentMemberStates, MemberStates.make())
  )

/** Services that refuse every client and deny every target: for a server that gets its settings by a reload later. */
export const closed = services({ authenticator: Authenticator.layerDenyAll, policy: Policy.layerDenyAll })

/** The services that count usage and bans, and the server's pseudonym. */
export type Counters = Bans | Pseudonym | Quotas | UsageRecords

/** The services that count all connections and outlive a reload, and the server's events. */
export type Counted = Bandwidth | Counters | Events | SessionRegistry

/** The services that count connections, with the log of their events. */
export const counted = <E, R>(counters: Layer.Layer<Counters, E, R>): Layer.Layer<Counted, E, R> =>
  Layer.mergeAll(
    Bandwidth.layer,
    SessionRegistry.layer,
    EventSources.decisions,
    EventSources.logins,
    EventSources.upstreams
  ).pipe(
    Layer.provideMerge(counters),
    // Below the sessions, so that the log ends after the last session.
    Layer.provide(Layer.mergeAll(EventSources.bans, EventLog.layer)),
    Layer.provideMerge(Events.layer)
  )

/** The counters of a server alone: in this process, and in the files that the settings name. */
export const alone: Layer.Layer<Counters, BadSetting | StateFailed, Config.Sections> = Layer.mergeAll(
  Pseudonym.layer,
  Quotas.layer,
  Layer.provideMerge(Layer.merge(BansFile.layer, KnownFile.layer), Layer.provide(Bans.layer, Hmac.layer))
)
