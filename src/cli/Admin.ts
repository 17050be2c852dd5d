/**
 * The admin listener of the program: what its API does with the settings and the process.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type * as AdminListener from "../admin/AdminListener.ts"
import * as AdminServer from "../admin/AdminServer.ts"
import { Invalid, type Level } from "../admin/Api.ts"
import * as ExplainQuestion from "../admin/ExplainQuestion.ts"
import * as FleetUserChanges from "../admin/FleetUserChanges.ts"
import { Operations } from "../admin/Operations.ts"
import { Readiness } from "../admin/Readiness.ts"
import type { AdminAddress } from "../admin/Settings.ts"
import * as SettingsUsers from "../admin/SettingsUsers.ts"
import * as ShownSettings from "../admin/ShownSettings.ts"
import * as Token from "../admin/Token.ts"
import { UsersRefresh } from "../auth/UsersRefresh.ts"
import { version } from "../base/Version.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import { LimitSettings } from "../limits/Settings.ts"
import type { Pair } from "../network/SelfSigned.ts"
import { RunningServer } from "../server/RunningServer.ts"
import * as Settings from "./Settings.ts"

type Values = Settings.Read["values"]

export interface Options {
  readonly at: AdminAddress
  readonly tls: Pair | undefined
  /** The settings at the start. */
  readonly settings: Pick<Values, "adminToken" | "stateDir">
  readonly inForce: () => Values
  /** Reloads. Fails with the reason if the earlier settings stay in force. */
  readonly reload: Effect.Effect<void, string>
  /** Is called with a function that puts another certificate in use. It returns false for a listener without TLS. */
  readonly onListening: (renew: AdminListener.Listening["renew"]) => void
  readonly setLogLevel: (level: Level) => Effect.Effect<void, string>
}

/** Serves the admin API until this scope closes. The server is not ready from the time that the calling scope closes. */
export const start = Effect.fnUntraced(function* (options: Options, scope: Scope.Scope) {
  const { at, tls, settings } = options
  const { token, path } = yield* Token.kept({ ...settings, admin: at })
  const services = yield* Layer.buildWithScope(
    Layer.merge(Readiness.layer, Layer.succeed(Operations, operations(options, yield* UsersRefresh))),
    scope
  )
  const { address, renew } = yield* AdminServer.serve(yield* RunningServer, { at, token, tls }).pipe(
    Effect.provideContext(services),
    Scope.provide(scope)
  )
  options.onListening(renew)
  yield* Effect.addFinalizer(() =>
    Effect.provideContext(
      Readiness.use(({ setDraining }) => setDraining(true)),
      services
    )
  )
  yield* Effect.logInfo("admin listens", {
    address: ListenAddress.format(address),
    tls: tls !== undefined,
    token: path
  })
})

/** Makes a change of a user that this machine has missed in its fleet, before it serves. */
export const changeEarly = ({ inForce }: Options) =>
  FleetUserChanges.makeEarly(SettingsUsers.make(inForce).changeableUsers)

const operations = (
  { inForce, reload, setLogLevel }: Options,
  refresh: UsersRefresh | undefined
): Operations["Service"] => ({
  version: version(),
  config: Effect.sync(() => ShownSettings.rows(Settings.table, inForce())),
  limits: Effect.sync(() => ShownSettings.rows(LimitSettings.table, inForce())),
  ...SettingsUsers.make(inForce, refresh?.memo),
  explain: (question) => ExplainQuestion.explain(inForce(), question),
  reload: Effect.mapError(reload, invalid),
  // As if the signal had come, when the answer is written.
  stop: Effect.sync(() => void setTimeout(() => process.kill(process.pid, "SIGTERM"), 50)),
  logLevel: {
    get: Effect.sync(() => inForce().logLevel),
    set: (level) => Effect.mapError(setLogLevel(level), invalid)
  }
})

const invalid = (message: string) => new Invalid({ message })
