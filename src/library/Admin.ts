/**
 * The admin listener of a server in an app.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as AdminCheck from "../admin/AdminCheck.ts"
import type { Invalid } from "../admin/Api.ts"
import type { KnownUser, Operations as OperationsOf } from "../admin/Operations.ts"
import { AdminSettings, address } from "../admin/Settings.ts"
import type { Bans } from "../bans/Bans.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import { BadSetting, type ListenFailed } from "../Errors.ts"
import type { Events } from "../session/Events.ts"
import type { UsageRecords } from "../usage/UsageRecords.ts"
import { printable } from "../wire/Text.ts"
import { Accounts } from "./Accounts.ts"
import { Server } from "./Server.ts"
import { Sessions } from "./Sessions.ts"

/** The options of an admin listener. */
export interface AdminOptions {
  /** `HOST:PORT` or `unix:/PATH`. Beyond loopback it takes a certificate. */
  readonly listen: string
  /** The bearer token that requests have to show. */
  readonly token: Redacted.Redacted
  /** The path of a certificate (PEM), for TLS. */
  readonly tlsCert?: string
  /** The path of the private key of that certificate (PEM). */
  readonly tlsKey?: string
}

/**
 * The admin listener of a server: its API, metrics, health and dashboard, as the program has them with `--admin`.
 *
 * **When to use**
 *
 * Provide a server to `Admin.layer(options)`. With `Accounts` beside the server, users can be added, disabled and removed.
 *
 * **Example** (A server with a dashboard)
 *
 * ```ts
 * import { Layer, Redacted } from "effect"
 * import { Admin, Server } from "effect-socks"
 *
 * const ProxyLive = Admin.layer({ listen: "127.0.0.1:9090", token: Redacted.make("a long secret") }).pipe(
 *   Layer.provideMerge(Server.layer({ listen: "127.0.0.1:1080" }))
 * )
 *
 * const main = Layer.launch(ProxyLive)
 * ```
 */
export class Admin extends Context.Service<
  Admin,
  {
    /** The address of the listener, with the port that the system chose. */
    readonly address: string
  }
>()("effect-socks/library/Admin") {
  /** Listens from the time that the layer is built until its scope closes. */
  static readonly layer = (
    options: AdminOptions
  ): Layer.Layer<Admin, BadSetting | ListenFailed, Server | Sessions | Bans | Events | UsageRecords> =>
    Layer.effect(
      Admin,
      Effect.suspend(() => make(options))
    )
}

const make = Effect.fnUntraced(function* ({ listen, token, tlsCert, tlsKey }: AdminOptions) {
  const at = yield* Effect.mapError(
    Effect.fromOption(address(listen)),
    () =>
      new BadSetting({
        setting: "listen",
        value: `"${printable(listen)}"`,
        expected: "HOST:PORT or unix:/PATH"
      })
  )
  const tls = yield* AdminCheck.tls({
    ...AdminSettings.defaults,
    ...{ admin: at, adminTlsCert: tlsCert, adminTlsKey: tlsKey }
  })
  // The code of the listener is loaded only where there is one.
  const [AdminServer, { Invalid }, { Operations }, { Readiness }, { version }] = yield* Effect.promise(() =>
    Promise.all([
      import("../admin/AdminServer.ts"),
      import("../admin/Api.ts"),
      import("../admin/Operations.ts"),
      import("../admin/Readiness.ts"),
      import("../admin/Version.ts")
    ])
  )
  const server = yield* Server
  const { list, end } = yield* Sessions
  const accounts = Option.getOrUndefined(yield* Effect.serviceOption(Accounts))
  const steered = {
    sessions: list,
    endSession: end,
    census: server.census,
    get listeners() {
      return server.listeners
    },
    get asksPassword() {
      return server.asksPassword
    }
  }
  const bound = yield* AdminServer.serve(steered, { at, token, tls }).pipe(
    Effect.provide(
      Layer.merge(
        Readiness.layer,
        Layer.succeed(Operations, {
          version: version(),
          ...operations(accounts, (message) => new Invalid({ message }))
        })
      )
    )
  )
  return { address: ListenAddress.format(bound) }
})

/** The options of the app are not shown: it knows them, and its services may go by others. */
const operations = (
  accounts: Accounts["Service"] | undefined,
  invalid: (message: string) => Invalid
): Omit<OperationsOf["Service"], "version"> => ({
  config: Effect.succeed([]),
  limits: Effect.succeed([]),
  users:
    accounts === undefined
      ? Effect.succeed([])
      : Effect.map(accounts.list, (all) =>
          all.map(
            ({ user: { name, groups = [], expires }, isEnabled }): KnownUser => ({
              name,
              groups,
              expires,
              isEnabled
            })
          )
        ),
  userStore: accounts && {
    add: (user) => Effect.mapError(accounts.add(user), ({ message }) => invalid(message)),
    remove: accounts.remove,
    enable: (name, isEnabled) => (isEnabled ? accounts.enable(name) : accounts.disable(name))
  }
})
