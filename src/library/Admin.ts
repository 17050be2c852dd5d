/**
 * The admin listener of a server in an app.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as AdminCheck from "../admin/AdminCheck.ts"
import { AdminSettings, address } from "../admin/Settings.ts"
import type { Bans } from "../bans/Bans.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import { BadSetting, type ListenFailed } from "../Errors.ts"
import { Events } from "../session/Events.ts"
import type { UsageRecords } from "../usage/UsageRecords.ts"
import { printable } from "../wire/Text.ts"
import { Steering } from "./Steering.ts"

/** The options of an admin listener. */
export interface AdminOptions {
  /** `HOST:PORT` or `unix:/PATH`. Beyond loopback it takes a certificate. */
  readonly listen: string
  /** The bearer token that requests have to show. */
  readonly token: Redacted.Redacted
  /** The path of a certificate (PEM), for TLS. It is read again at each reload of the server. */
  readonly tlsCert?: string
  /** The path of the private key of that certificate (PEM). */
  readonly tlsKey?: string
  /** Reads the options of the server again and gives them to `Reload`, when a reload is asked for. Fails with the reason. */
  readonly reload?: Effect.Effect<void, { readonly message: string }>
}

/**
 * The admin listener of a server: its API, metrics, health and dashboard, as the program has them with `--admin`.
 *
 * **When to use**
 *
 * Provide a server to `Admin.layer(options)`. It shows the settings of the server, explains its rules, and lists its users. With `Accounts`, or another `UserStore`, beside the server, users can be added,
 * disabled and removed; then their sessions end.
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
  ): Layer.Layer<Admin, BadSetting | ListenFailed, Bans | Events | Steering | UsageRecords> =>
    Layer.effect(
      Admin,
      Effect.suspend(() => make(options))
    )
}

const make = Effect.fnUntraced(function* ({ listen, token, tlsCert, tlsKey, reload }: AdminOptions) {
  const at = yield* Effect.mapError(
    Effect.fromOption(address(listen)),
    () =>
      new BadSetting({
        setting: "listen",
        value: `"${printable(listen)}"`,
        expected: "HOST:PORT or unix:/PATH"
      })
  )
  const readTls = AdminCheck.tls({
    ...AdminSettings.defaults,
    ...{ admin: at, adminTlsCert: tlsCert, adminTlsKey: tlsKey }
  })
  const tls = yield* readTls
  // The code of the listener is loaded only where there is one.
  const [AdminServer, AdminOperations, { Operations }, { Readiness }] = yield* Effect.promise(() =>
    Promise.all([
      import("../admin/AdminServer.ts"),
      import("./AdminOperations.ts"),
      import("../admin/Operations.ts"),
      import("../admin/Readiness.ts")
    ])
  )
  const steering = yield* Steering
  const services = Layer.succeed(Operations, AdminOperations.make(steering, reload))
  const { address: bound, renew } = yield* AdminServer.serve(steering.server, { at, token, tls }).pipe(
    Effect.provide(Layer.merge(Readiness.layer, services))
  )
  if (tls !== undefined) {
    const scope = yield* Effect.scope
    const renewal = Effect.matchEffect(readTls, {
      onFailure: ({ message: reason }) => Effect.logError("admin: the earlier certificate stays", { reason }),
      onSuccess: (pair) => Effect.sync(() => pair && renew(pair))
    })
    yield* (yield* Events).listen(["Reloaded"], () => Effect.asVoid(Effect.forkIn(renewal, scope)))
  }
  return { address: ListenAddress.format(bound) }
})
