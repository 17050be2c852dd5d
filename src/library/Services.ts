/**
 * The services of a server in an app: those that the app provides, and otherwise those of this package.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Authenticator } from "../auth/Authenticator.ts"
import * as Hashing from "../auth/Hashing.ts"
import { PasswordHashes } from "../auth/PasswordHashes.ts"
import * as RememberedLogins from "../auth/RememberedLogins.ts"
import { UserStore } from "../auth/UserStore.ts"
import { Users } from "../auth/Users.ts"
import * as Hmac from "../base/Hmac.ts"
import type { BadSetting, StateFailed } from "../Errors.ts"
import { CoordinatorMember } from "../limits/CoordinatorMember.ts"
import { Binder } from "../network/Binder.ts"
import { Dialer } from "../network/Dialer.ts"
import { Relay } from "../network/Relay.ts"
import { Resolver } from "../network/Resolver.ts"
import { LocalAddresses } from "../policy/LocalAddresses.ts"
import { Policy } from "../policy/Policy.ts"
import * as Routes from "../routes/Routes.ts"
import * as AuthLayer from "../server/AuthLayer.ts"
import * as Composition from "../server/Composition.ts"
import type * as Config from "../server/Config.ts"
import { DatagramRelay } from "../udp/DatagramRelay.ts"
import type { Replaced } from "./Steering.ts"

/**
 * The layers of all services. A service in the context is used, and stays over reloads. Any other service is built by
 * this package's layer, again at each reload.
 */
export const make: Effect.Effect<ReturnType<typeof Composition.services>> = Effect.contextWith(
  (context: Context.Context<never>) => {
    const found = finder(context)
    const own = found(Authenticator)
    const store = found(UserStore)
    const users = found(Users) ?? (store && Layer.provide(Users.layerStore, store))
    const resolver = found(Resolver)
    const hashes = found(PasswordHashes) ?? Hashing.layer
    const services = Composition.services({
      authenticator: own
        ? AuthLayer.layerOfOwn(own)
        : users
          ? AuthLayer.layerOfUsers(users, hashes)
          : AuthLayer.layerOf(hashes),
      policy: found(Policy) ?? Layer.provide(Policy.layer, found(LocalAddresses) ?? LocalAddresses.layer),
      resolver: resolver && Resolver.layerOfOwn(resolver),
      dialer: found(Dialer),
      binder: found(Binder),
      relay: found(Relay),
      datagramRelay: found(DatagramRelay),
      route: context.mapUnsafe.has(Routes.CurrentRoute.key)
        ? Routes.layerOfOwn(Context.get(context, Routes.CurrentRoute))
        : undefined
    })
    // One for all reloads of this server.
    const remembered =
      Context.getOrUndefined(context as Context.Context<CoordinatorMember>, CoordinatorMember)?.remembered ??
      RememberedLogins.make(Hmac.digest(Hmac.newKey()))
    return Effect.succeed(Layer.provide(services, Composition.lasting(remembered)))
  }
)

/** The services of the context that the admin listener goes by, too. */
export const replaced: Effect.Effect<Replaced> = Effect.contextWith((context: Context.Context<never>) => {
  const found = finder(context)
  return Effect.succeed({
    users: found(Users),
    userStore: Context.getOrUndefined(context as Context.Context<UserStore>, UserStore),
    resolver: found(Resolver),
    hasAuthenticator: found(Authenticator) !== undefined,
    hasPolicy: found(Policy) !== undefined
  })
})

/** Finds services in a context, as layers. */
const finder =
  (context: Context.Context<never>) =>
  <Id, Service>(tag: Context.Key<Id, Service>): Layer.Layer<Id> | undefined => {
    const service = Context.getOrUndefined(context as Context.Context<Id>, tag)
    return service === undefined ? undefined : Layer.succeed(tag, service)
  }

/** The layer that counts usage and bans: together with other servers, if the context has a `CoordinatorMember`. */
export const counters: Effect.Effect<
  Layer.Layer<Composition.Counters, BadSetting | StateFailed, Config.Sections>
> = Effect.map(
  Effect.serviceOption(CoordinatorMember),
  Option.match({
    onNone: () => Composition.alone,
    onSome: (member) => Layer.provide(CoordinatorMember.services, Layer.succeed(CoordinatorMember, member))
  })
)
