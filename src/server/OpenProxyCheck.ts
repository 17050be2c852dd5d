/**
 * Whether a listener lets in others than it should: an open proxy is found
 * within hours.
 */
import { statSync } from "node:fs"
import * as Effect from "effect/Effect"
import { Authenticator } from "../auth/Authenticator.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import { OpenProxyRefused } from "../Errors.ts"
import { ListenSettings } from "../network/ListenSettings.ts"
import * as Reach from "../policy/Reach.ts"
import { Method } from "../wire/Socks5.ts"
import { ServerSettings } from "./Settings.ts"

/** Whether a client has to say who it is, unless its network is trusted. */
export const asksPassword: Effect.Effect<boolean, never, Authenticator> = Effect.map(
  Authenticator,
  ({ methods }) => methods.includes(Method.UsernamePassword) && !methods.includes(Method.NoAuthentication)
)

/** Whether anyone comes in who reaches it. */
const letsAnyoneIn: Effect.Effect<boolean, never, Authenticator> = Effect.map(Authenticator, ({ methods }) =>
  methods.includes(Method.NoAuthentication)
)

/**
 * Refuses a listener that others can reach and that nothing keeps them out of.
 * `modeOf` gives the permission bits of a socket in the file system. What
 * systemd passes is not known before it listens.
 */
export const check = Effect.fnUntraced(function* (
  at: ListenAddress.Endpoint,
  modeOf: (path: string) => number
): Effect.fn.Return<void, OpenProxyRefused, ListenSettings | ServerSettings | Authenticator> {
  const { open } = yield* ServerSettings
  const { tlsClientCa } = yield* ListenSettings
  const asksCertificate = at._tag === "Tls" && tlsClientCa !== undefined
  if (open || asksCertificate || !(yield* letsAnyoneIn)) return
  if (isReachable(ListenAddress.placeOf(at), modeOf)) {
    return yield* new OpenProxyRefused({ address: ListenAddress.format(at) })
  }
})

/** The permission bits that a socket has now; all of them if there is no telling. */
export const currentMode = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mode ?? 0o777

/** By others than this machine's users, and of a socket with permissions, than those it names. */
const isReachable = (place: ListenAddress.Place, modeOf: (path: string) => number): boolean => {
  switch (place._tag) {
    case "HostPort":
      return !Reach.isLoopback(place.host)
    case "UnixPathAddress":
      return (modeOf(place.path) & 0o007) !== 0
    case "Systemd":
      return false
  }
}
