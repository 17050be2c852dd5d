/**
 * The layer graph of a server. It is put together here only, for the program, the
 * library, a worker and the testing kit.
 */
import * as Layer from "effect/Layer"
import { Authenticator } from "../auth/Authenticator.ts"
import { Bans } from "../bans/Bans.ts"
import * as BansFile from "../bans/BansFile.ts"
import * as KnownFile from "../bans/KnownFile.ts"
import * as Hmac from "../base/Hmac.ts"
import type { BadSetting, BadSettings, StateFailed } from "../Errors.ts"
import { Bandwidth } from "../limits/Bandwidth.ts"
import { Quotas } from "../limits/Quotas.ts"
import { Binder } from "../network/Binder.ts"
import { Dialer } from "../network/Dialer.ts"
import { Relay } from "../network/Relay.ts"
import { Resolver } from "../network/Resolver.ts"
import { Policy } from "../policy/Policy.ts"
import { Pseudonym } from "../protocols/http/Pseudonym.ts"
import { Sessions } from "../session/Sessions.ts"
import { DatagramRelay } from "../udp/DatagramRelay.ts"
import * as AuthLayer from "./AuthLayer.ts"
import type * as Config from "./Config.ts"
import type * as Generation from "./Generation.ts"
import * as Interfaces from "./Interfaces.ts"

/** A service made from the settings. */
type Made<Service> = Layer.Layer<Service, BadSetting | BadSettings, Config.Sections>

/** What stands in for this package's own services. */
export interface Replacements {
  readonly authenticator?: Made<Authenticator>
  readonly policy?: Made<Policy>
  readonly resolver?: Made<Resolver>
  readonly dialer?: Made<Dialer>
  readonly binder?: Made<Binder>
  readonly relay?: Made<Relay>
  readonly datagramRelay?: Made<DatagramRelay>
}

/** The services that are made from settings, and made anew at a reload. */
export const services = (
  replacements: Replacements = {}
): Made<Exclude<Generation.Services, Config.Sections>> =>
  Layer.mergeAll(
    replacements.authenticator ?? AuthLayer.layer,
    replacements.policy ?? Layer.provide(Policy.layer, Interfaces.layer),
    replacements.resolver ?? Resolver.layer,
    replacements.dialer ?? Dialer.layer,
    replacements.binder ?? Binder.layer,
    replacements.relay ?? Relay.layer,
    replacements.datagramRelay ?? DatagramRelay.layer
  )

/** Services that let nobody in and deny every target. A server that gets its services by a reload begins with them. */
export const closed = services({ authenticator: Authenticator.denyAll, policy: Policy.denyAll })

/** Where usage and bans are counted, and the server gets its name: in this process, or in the primary for all workers. */
export interface Seat<E, R> {
  readonly pseudonym: Layer.Layer<Pseudonym>
  readonly quotas: Layer.Layer<Quotas, E, R>
  readonly bans: Layer.Layer<Bans, E, R>
}

/** The services that count across all connections, and outlive a reload. */
export const counted = <E, R>({
  pseudonym,
  quotas,
  bans
}: Seat<E, R>): Layer.Layer<Bandwidth | Bans | Pseudonym | Sessions, E, R> =>
  Layer.mergeAll(Bandwidth.layer, Layer.provide(Sessions.layer, quotas), bans, pseudonym)

/** Everything is counted in this process, and kept in the files that the settings name. */
export const alone: Seat<BadSetting | StateFailed, Config.Sections> = {
  pseudonym: Pseudonym.layer,
  quotas: Quotas.layer,
  bans: Layer.provideMerge(
    Layer.merge(BansFile.layer, KnownFile.layer),
    Layer.provide(Bans.layer, Hmac.layer)
  )
}
