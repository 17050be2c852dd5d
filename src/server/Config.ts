/**
 * The settings of a server: the sections of all rooms. Each service takes its own section. `CurrentListener` has the
 * options of a listener.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { AuthSettings } from "../auth/Settings.ts"
import { BanSettings } from "../bans/Settings.ts"
import { CommandSettings } from "../commands/Settings.ts"
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"
import { LimitSettings } from "../limits/Settings.ts"
import { MetricSettings } from "../metrics/Settings.ts"
import { ListenSettings } from "../network/ListenSettings.ts"
import { NameSettings } from "../network/NameSettings.ts"
import { NetworkSettings } from "../network/Settings.ts"
import { TransportSettings } from "../network/TransportSettings.ts"
import { PolicySettings } from "../policy/Settings.ts"
import { RouteSettings } from "../routes/Settings.ts"
import { UdpSettings } from "../udp/Settings.ts"
import { UsageSettings } from "../usage/Settings.ts"
import { ServerSettings } from "./Settings.ts"

/** The sections of a server, in the order in which their settings are listed. */
export const sections = [
  ListenSettings,
  ServerSettings,
  AuthSettings,
  BanSettings,
  PolicySettings,
  RouteSettings,
  NetworkSettings,
  NameSettings,
  TransportSettings,
  CommandSettings,
  LimitSettings,
  UsageSettings,
  UdpSettings,
  MetricSettings
] as const

/** The sections, as services. */
export type Sections = Section.Services<typeof sections>

/** The value of every setting. */
export type Values = Section.Values<typeof sections>

/** Every setting at its default. */
export const defaults: Values = Setting.defaults(Section.table(sections))

/** The defaults, with these values in their place. */
export const layer = (values: Partial<Values> = {}): Layer.Layer<Sections> =>
  Layer.succeedContext(Section.context(sections, { ...defaults, ...values }))

/** The value of every setting among these services. */
export const of = (context: Context.Context<Sections>): Values => Section.values(sections, context)

/** The value of every setting, for the primary and the command line, which need all settings. */
export const values: Effect.Effect<Values, never, Sections> = Effect.contextWith(
  (context: Context.Context<Sections>) => Effect.succeed(of(context))
)
