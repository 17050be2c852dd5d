/**
 * Refuses to start as an open proxy, which strangers can use without a password. Strangers find an open proxy within
 * hours.
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

/** Whether clients must log in, except clients of trusted networks. */
export const asksPassword: Effect.Effect<boolean, never, Authenticator> = Effect.map(
  Authenticator,
  ({ methods }) => methods.includes(Method.UsernamePassword) && !methods.includes(Method.NoAuthentication)
)

/** Whether clients are served without a login. */
const letsAnyoneIn: Effect.Effect<boolean, never, Authenticator> = Effect.map(Authenticator, ({ methods }) =>
  methods.includes(Method.NoAuthentication)
)

/**
 * Refuses a listener that strangers can reach and use without a login. `modeOf` returns the permission bits of a socket
 * file. A listener of systemd is checked again when its sockets are known: see `Handlers`.
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

/** The present permission bits of a socket file; 0777 if the file does not exist. */
export const currentMode = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mode ?? 0o777

/** Whether other machines can connect; for a socket file, users other than its owner and group. */
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
