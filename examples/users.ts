/**
 * Users that the app adds and removes while the proxy runs. They are in a reference; a change holds for the next
 * login, and with `endDenied` the sessions of a removed user end at once.
 */
import { Context, Effect, Layer, type Redacted, SubscriptionRef } from "effect"
import { Server, type User, Users } from "effect-socks"

/** The accounts of the app. */
export class Accounts extends Context.Service<
  Accounts,
  SubscriptionRef.SubscriptionRef<ReadonlyArray<User>>
>()("example/Accounts") {
  static readonly layer = Layer.effect(Accounts, SubscriptionRef.make<ReadonlyArray<User>>([]))
}

export const add = Effect.fnUntraced(function* (name: string, password: Redacted.Redacted) {
  yield* SubscriptionRef.update(yield* Accounts, (users) => [...users, { name, password }])
})

export const remove = Effect.fnUntraced(function* (name: string) {
  yield* SubscriptionRef.update(yield* Accounts, (users) => users.filter((user) => user.name !== name))
})

/** A proxy for these users. Nobody can log in before there is one. */
export const ProxyLive = Server.layer({ listen: "127.0.0.1:0", endDenied: true }).pipe(
  Layer.provide(Layer.unwrap(Effect.map(Accounts, Users.layerRef))),
  Layer.provideMerge(Accounts.layer)
)
