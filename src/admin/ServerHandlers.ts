/**
 * The endpoints of the server as a whole, and of its health.
 */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Semaphore from "effect/Semaphore"
import type { UpstreamState } from "../routes/UpstreamState.ts"
import { printable } from "../wire/Text.ts"
import {
  AdminApi,
  type Explanation,
  type Invalid,
  type Level,
  type Limit,
  NotOffered,
  NotReady,
  type Question,
  type Upstream
} from "./Api.ts"
import { audited } from "./AuditLog.ts"
import { Control } from "./Control.ts"
import { Operations } from "./Operations.ts"
import * as Paced from "./Paced.ts"
import { Readiness } from "./Readiness.ts"
import * as ServerStatus from "./ServerStatus.ts"
import * as SessionPage from "./SessionPage.ts"

export const layer = HttpApiBuilder.group(
  AdminApi,
  "server",
  Effect.fnUntraced(function* (handlers) {
    const { server, sessions, history } = yield* Control
    const { config, limits, explain, reload, stop, logLevel } = yield* Operations
    const { setDraining } = yield* Readiness
    // With very many rules an explanation takes a while: one at a time, so that sessions have theirs between its pieces.
    const explaining = yield* Semaphore.make(1)
    const upstreams = Effect.map(server.upstreams, (all) => all.map(upstream))

    const status = yield* ServerStatus.make
    const traffic = (by: Parameters<typeof SessionPage.traffic>[1]) =>
      Effect.flatMap(sessions.read, (all) => Paced.run(SessionPage.traffic(all, by)))
    const explained = (question: Question): Effect.Effect<Explanation, Invalid | NotOffered> =>
      explain?.(question) ?? notOffered("explain")
    const reloading: Effect.Effect<void, Invalid | NotOffered> = reload ?? notOffered("reload")
    const setLogLevel = (level: Level): Effect.Effect<void, Invalid | NotOffered> =>
      logLevel?.set(level) ?? notOffered("log-level")
    return handlers
      .handle("status", () => status)
      .handle("overview", () =>
        Effect.gen(function* () {
          return {
            status: yield* status,
            samples: (yield* history.samples).slice(-recent),
            users: (yield* traffic("user")).slice(0, mostBars),
            targets: (yield* traffic("target")).slice(0, mostBars),
            upstreams: (yield* upstreams).slice(0, mostUpstreams)
          }
        })
      )
      .handle("traffic", ({ query: { by = "user" } }) => traffic(by))
      .handle("history", () => history.samples)
      .handle("limits", () =>
        Effect.gen(function* () {
          const { sessions, handshakes } = yield* server.census
          const used: Readonly<Record<string, number>> = {
            "max-sessions": sessions,
            "max-handshakes": handshakes
          }
          return (yield* limits).map((limit): Limit => ({ ...limit, used: used[limit.name] ?? null }))
        })
      )
      .handle("config", () => config)
      .handle("upstreams", () => upstreams)
      .handle("explain", ({ payload }) => explaining.withPermits(1)(explained(payload)))
      .handle("reload", () => audited("reload")(reloading))
      .handle("drain", () => audited("drain")(setDraining(true)))
      .handle("undrain", () => audited("end drain")(setDraining(false)))
      .handle("stop", () => audited("stop")(stop ?? notOffered("stop")))
      .handle("logLevel", () =>
        logLevel ? Effect.map(logLevel.get, (level) => ({ level })) : notOffered("log-level")
      )
      .handle("setLogLevel", ({ payload: { level } }) => audited("log level", { level })(setLogLevel(level)))
  })
)

export const health = HttpApiBuilder.group(
  AdminApi,
  "health",
  Effect.fnUntraced(function* (handlers) {
    const { server } = yield* Control
    const { isDraining } = yield* Readiness
    const ok = { status: "ok" as const }
    return handlers
      .handle("healthz", () => Effect.succeed(ok))
      .handle("readyz", () =>
        Effect.gen(function* () {
          if (yield* isDraining) return yield* new NotReady({ message: "the server drains" })
          if (server.listeners.length === 0)
            return yield* new NotReady({ message: "the server does not listen" })
          return ok
        })
      )
  })
)

/** The samples of an overview: of half a minute, so that a page that looks every few seconds misses none. */
const recent = 15

/** The users and targets of an overview. */
const mostBars = 10

/** The upstreams of an overview. Of more, those that fail come first. */
const mostUpstreams = 50

const upstream = (state: UpstreamState): Upstream => {
  const { route, member, isUp, since = null, sessions, failures, error, downIn = [] } = state
  return {
    ...{ route, name: printable(member), healthy: isUp, since, sessions, failures, downIn },
    detail: printable(error ?? "", 300)
  }
}

const notOffered = (name: string): Effect.Effect<never, NotOffered> =>
  Effect.fail(new NotOffered({ message: `this server does not offer ${name}` }))
