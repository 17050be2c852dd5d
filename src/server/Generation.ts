/**
 * What connections are served with: the settings as they were read once, and the
 * services made from them. A reload brings the next generation, and each
 * connection stays in the one that it came in with.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Bans } from "../bans/Bans.ts"
import { Config, type Values } from "../config/Config.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { BadSetting, OpenProxyRefused } from "../Errors.ts"
import type { Bandwidth } from "../limits/Bandwidth.ts"
import type { Secure } from "../network/Tls.ts"
import type { Pseudonym } from "../protocols/http/Pseudonym.ts"
import type { Sessions } from "../session/Sessions.ts"
import type * as Connection from "./Connection.ts"
import * as Listeners from "./Listeners.ts"
import * as OpenProxyCheck from "./OpenProxyCheck.ts"
import * as TlsFiles from "./TlsFiles.ts"

/** What a generation consists of. What is counted is counted across all of them, and the server keeps its name. */
export type Services = Exclude<Connection.Services, Bandwidth | Bans | Pseudonym | Sessions>

export interface Generation {
  readonly services: Context.Context<Services>
  readonly config: Values
  readonly secure: Secure | undefined
  readonly asksPassword: boolean
  /** A connection begins in it. */
  readonly begin: () => void
  /** A connection of it has ended. */
  readonly leave: () => void
  /** No more connections begin in it: its services are released with the last one. */
  readonly retire: () => void
}

/** Fails where its settings must not or cannot be served. `release` is called once, when nothing needs its services any more. */
export const make = Effect.fnUntraced(function* (
  services: Context.Context<Services>,
  release: () => void
): Effect.fn.Return<Generation, BadSetting | OpenProxyRefused> {
  const config = Context.get(services, Config)
  yield* Listeners.check(config.listen)
  const [secure, asksPassword] = yield* Effect.provide(
    Effect.all([
      TlsFiles.load,
      OpenProxyCheck.asksPassword,
      Effect.forEach(config.listen, (at) =>
        OpenProxyCheck.check(ListenAddress.endpointOf(at), () => config.unixMode)
      )
    ]),
    services
  )
  let connections = 0
  let isRetired = false
  const settle = () => {
    if (isRetired && connections === 0) release()
  }
  return {
    services,
    config,
    secure,
    asksPassword,
    begin: () => {
      connections++
    },
    leave: () => {
      connections--
      settle()
    },
    retire: () => {
      isRetired = true
      settle()
    }
  }
})
