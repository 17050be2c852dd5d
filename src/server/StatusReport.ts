/**
 * SIGUSR2: writes the number of sessions, the bans and the networks with failed logins
 * to the log.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import { Bans } from "../bans/Bans.ts"
import type { BanSettings } from "../bans/Settings.ts"
import * as Signal from "../base/Signal.ts"
import { RunningServer } from "./RunningServer.ts"

/** The most lines for bans, and for failed logins. */
const most = 1000

/** Writes the report whenever the process gets the signal. */
export const onSignal: Layer.Layer<never, never, RunningServer | Bans | BanSettings> = Layer.effectDiscard(
  Effect.gen(function* () {
    const asked = yield* Signal.listen("SIGUSR2")
    const { census } = yield* RunningServer
    const sessions = Effect.flatMap(census, (census) => Effect.logInfo("sessions", census))
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(asked, Effect.andThen(sessions, report))))
  })
)

/** Writes a line with the numbers, and a line for each banned network and for each network with failed logins. */
export const report: Effect.Effect<void, never, Bans | BanSettings> = Effect.gen(function* () {
  const { list, suspects, turnedAway } = yield* Bans
  const banned = yield* list
  const suspected = yield* suspects
  yield* Effect.logInfo("bans", {
    banned: banned.length,
    suspected: suspected.length,
    turnedAway: yield* turnedAway
  })
  for (const { network, until, reason, failures } of banned.slice(0, most)) {
    yield* Effect.logInfo("ban", {
      network: IpNetwork.format(network),
      until: new Date(until).toISOString(),
      reason,
      failures
    })
  }
  for (const { network, failures } of suspected.slice(0, most)) {
    yield* Effect.logInfo("failed logins", { network, failures })
  }
})
