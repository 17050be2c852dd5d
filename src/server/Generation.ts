/**
 * A generation: the settings of one reading, and the services made from them. A reload makes the next generation. A
 * connection keeps the generation in which it was accepted.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Bans } from "../bans/Bans.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { BadSetting, OpenProxyRefused } from "../Errors.ts"
import type { Bandwidth } from "../limits/Bandwidth.ts"
import type { CurrentListener } from "../network/CurrentListener.ts"
import { ListenSettings } from "../network/ListenSettings.ts"
import type { Pseudonym } from "../network/Pseudonym.ts"
import type { Secure } from "../network/Tls.ts"
import type { SessionRegistry } from "../session/SessionRegistry.ts"
import type * as Config from "./Config.ts"
import type * as Connection from "./Connection.ts"
import * as Listeners from "./Listeners.ts"
import * as OpenProxyCheck from "./OpenProxyCheck.ts"
import { ServerSettings } from "./Settings.ts"
import * as TlsFiles from "./TlsFiles.ts"

/** The services of a generation. All generations share the services that count, and the pseudonym. */
export type Services =
  | Config.Sections
  | Exclude<Connection.Services, Bandwidth | Bans | CurrentListener | Pseudonym | SessionRegistry>

export interface Generation {
  readonly services: Context.Context<Services>
  readonly listen: ListenSettings["Service"]
  readonly server: ServerSettings["Service"]
  readonly secure: Secure | undefined
  /** The certificate (PEM) that the server has made for itself, if it has. */
  readonly selfSigned: string | undefined
  readonly asksPassword: boolean
  /** To be called when a connection of the generation begins. */
  readonly begin: () => void
  /** To be called when a connection of the generation has ended. */
  readonly leave: () => void
  /** To be called when no more connections will begin. The services are released after the last connection. */
  readonly retire: () => void
}

/**
 * Makes a generation. Fails for settings that cannot be served, or would make an open proxy. `release` is called once,
 * when the generation is retired and its last connection has ended.
 */
export const make = Effect.fnUntraced(function* (
  services: Context.Context<Services>,
  release: () => void
): Effect.fn.Return<Generation, BadSetting | OpenProxyRefused> {
  const listen = Context.get(services, ListenSettings)
  yield* Listeners.check(listen.listen)
  const [{ secure, selfSigned }, asksPassword] = yield* Effect.provide(
    Effect.all([
      TlsFiles.load,
      OpenProxyCheck.asksPassword,
      Effect.forEach(listen.listen, (at) =>
        OpenProxyCheck.check(ListenAddress.endpointOf(at), () => listen.unixMode)
      )
    ]),
    services
  )
  let connections = 0
  let isRetired = false
  const releaseIfUnused = () => {
    if (isRetired && connections === 0) release()
  }
  return {
    services,
    listen,
    server: Context.get(services, ServerSettings),
    secure,
    selfSigned,
    asksPassword,
    begin: () => {
      connections++
    },
    leave: () => {
      connections--
      releaseIfUnused()
    },
    retire: () => {
      isRetired = true
      releaseIfUnused()
    }
  }
})
