/**
 * Users that the app adds, disables and removes while the proxy runs. A change holds for the next login, and with
 * `endDenied` the sessions of a user who is disabled or removed end at once.
 */
import { Effect, Layer, type Redacted } from "effect"
import { Accounts, Server } from "effect-socks"

/** A proxy for the users of the app. Nobody can log in before there is one. */
export const ProxyLive = Server.layer({ listen: "127.0.0.1:0", endDenied: true }).pipe(
  Layer.provideMerge(Accounts.layer())
)

/** A guest, at 10 MiB a second to and from the guest. */
export const welcome = Effect.fnUntraced(function* (name: string, password: Redacted.Redacted) {
  const { add } = yield* Accounts
  yield* add({ name, password, groups: ["guests"], limits: { upload: "10 MiB", download: "10 MiB" } })
})

/** The names of those who may log in now. */
export const names = Effect.gen(function* () {
  const { list } = yield* Accounts
  return (yield* list).filter(({ isEnabled }) => isEnabled).map(({ user }) => user.name)
})
