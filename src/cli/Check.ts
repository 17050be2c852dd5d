/**
 * `effect-socks check`: whether a server could start with these settings, without
 * starting one.
 */
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as AdminCheck from "../admin/AdminCheck.ts"
import type { AdminSettings } from "../admin/Settings.ts"
import { Authenticator } from "../auth/Authenticator.ts"
import * as Hashing from "../auth/Hashing.ts"
import { Users } from "../auth/Users.ts"
import * as BansFile from "../bans/BansFile.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import * as Parsers from "../config/Parsers.ts"
import * as RuleLint from "../config/RuleLint.ts"
import * as Sources from "../config/Sources.ts"
import type { BadSetting, BadSettings, OpenProxyRefused, StateFailed } from "../Errors.ts"
import * as LeaderCheck from "../fleet/LeaderCheck.ts"
import * as Quotas from "../limits/Quotas.ts"
import { LocalAddresses } from "../policy/LocalAddresses.ts"
import * as Routes from "../routes/Routes.ts"
import * as AuthLayer from "../server/AuthLayer.ts"
import * as Config from "../server/Config.ts"
import * as Listeners from "../server/Listeners.ts"
import * as OpenProxyCheck from "../server/OpenProxyCheck.ts"
import * as TlsFiles from "../server/TlsFiles.ts"
import { printable } from "../wire/Text.ts"
import * as OtlpVariables from "./OtlpVariables.ts"
import * as Settings from "./Settings.ts"
import * as Setup from "./Setup.ts"
import * as UnencryptedUdp from "./UnencryptedUdp.ts"
import * as Warnings from "./Warnings.ts"

/** The settings can be read, but not used together. The message has one sentence on each line. */
export class InvalidConfig extends Data.TaggedError("Unfit")<{ readonly message: string }> {}

/** Checks the settings, and prints a summary. Fails with all mistakes. */
export const run = Effect.fnUntraced(function* (given: Sources.Given) {
  const read = yield* Settings.read(given)
  const { values, locate } = read
  const {
    config,
    workers: _workers,
    logLevel: _level,
    logFormat: _format,
    logFile: _file,
    ...settings
  } = values
  const besides = [OtlpVariables.read(process.env), Setup.checkLog(read), LeaderCheck.database(values)]
  const { errors, asksPassword } = yield* Effect.provide(trial(settings, besides), Config.layer(settings))
  if (errors.length > 0) {
    const sentences = errors.map((error) => Sources.placed(error, locate).message)
    return yield* new InvalidConfig({ message: sentences.join("\n") })
  }
  const warnings = [
    ...RuleLint.unmatched([...settings.rules]).map((sentence) => `rules: ${sentence}`),
    ...(yield* Warnings.of(read, Object.keys(process.env))),
    ...Quotas.warnings(settings),
    ...(settings.reportOnly ? ["report-only: what the policy denies is logged, and not denied"] : [])
  ]
  for (const warning of warnings) yield* Console.error(`warning: ${warning}`)
  yield* Console.log(
    [
      config === undefined ? "the settings are right" : `${printable(config)} is right`,
      "",
      ...settings.listen.map(
        (at) =>
          `  listens on ${ListenAddress.format(at)}, for ${admitted(at, settings, asksPassword)}` +
          UnencryptedUdp.noteOn(at, settings)
      ),
      ...(settings.admin === undefined
        ? []
        : [`  admin listener on ${ListenAddress.format(settings.admin)}`]),
      `  users: ${usersOf(settings).join(", ") || "none"}`
    ].join("\n")
  )
})

/** The names of the users, and the other sources of users. */
const usersOf = ({ user, users, usersFile, authUrl }: Config.Values): ReadonlyArray<string> => [
  ...[...user, ...users].map(({ name }) => printable(name)),
  ...(usersFile === undefined ? [] : [`those in ${printable(usersFile)}`]),
  ...(authUrl === undefined ? [] : [`those whom ${printable(Parsers.shownUrl(authUrl))} knows`])
]

/** Runs all steps of a server before it listens, each independent of the others, and collects their errors. */
const trial = Effect.fnUntraced(function* (
  settings: Config.Values & AdminSettings["Service"],
  besides: ReadonlyArray<Effect.Effect<unknown, BadSetting | BadSettings>>
) {
  const { listen, unixMode, user, users } = settings
  const steps: ReadonlyArray<
    Effect.Effect<
      unknown,
      BadSetting | BadSettings | OpenProxyRefused | StateFailed,
      Config.Sections | Authenticator
    >
  > = [
    Effect.scoped(Layer.build(AuthLayer.layer)),
    Effect.scoped(Layer.build(LocalAddresses.layer)),
    TlsFiles.load,
    Routes.pools,
    Listeners.check(listen),
    Quotas.check,
    BansFile.check,
    AdminCheck.tls(settings),
    ...besides,
    ...listen.map((at) => OpenProxyCheck.check(ListenAddress.endpointOf(at), () => unixMode))
  ]
  // The login methods do not depend on the users in the users file.
  const logins = Layer.provide(Authenticator.layer, [Users.layerFixed([...user, ...users]), Hashing.layer])
  return yield* Effect.gen(function* () {
    const [, errors] = yield* Effect.partition(steps, (step) => step)
    return { errors, asksPassword: yield* OpenProxyCheck.asksPassword }
  }).pipe(Effect.provide(logins))
})

const admitted = (
  at: ListenAddress.ListenAddress,
  { tlsClientCa, trust }: Config.Values,
  asksPassword: boolean
): string => {
  if (ListenAddress.endpointOf(at)._tag === "Tls" && tlsClientCa !== undefined)
    return "clients with a certificate"
  if (asksPassword) return "users with their password"
  return trust.length > 0 ? "clients from trusted networks" : "everyone who can reach it"
}
