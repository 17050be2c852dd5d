/**
 * The log of a server's events. Each ended session has a line. Events that strangers can cause without end are counted
 * in summaries, because a line for each would fill the disk.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import { defined } from "../base/Fields.ts"
import * as OpenFiles from "../limits/OpenFiles.ts"
import type { SessionEnded } from "./Event.ts"
import { Events } from "./Events.ts"
import * as Summary from "./Summary.ts"

/** Writes the log until the scope closes, and then the rest of the summaries. */
export const layer: Layer.Layer<never, never, Events> = Layer.effectDiscard(Effect.suspend(() => make))

const make = Effect.gen(function* (): Effect.fn.Return<void, never, Events | Scope.Scope> {
  const openFiles = yield* OpenFiles.limit
  const { listen } = yield* Events
  const strangers = yield* Summary.make({
    after: "1 minute",
    pause: 0,
    log: (outcomes) => Effect.logInfo("connections without a request", { outcomes })
  })
  const turnedAway = yield* Summary.make({
    after: "1 second",
    pause: "1 minute",
    log: (counts) =>
      Effect.logWarning(`clients are turned away: ${adviceOn(counts)}`, { ...counts, openFiles })
  })
  const isHintDue = makeHints()

  yield* listen(["ClientTurnedAway"], ({ lack }) => noted(turnedAway, lack))
  yield* listen(["SessionEnded"], (event) => {
    const line = lineOf(event)
    if (!isStranger(event)) return Effect.logInfo("session", line)
    const { hint, outcome } = event
    const whispered =
      hint === undefined
        ? Effect.logDebug("session", line)
        : Effect.clockWith((clock) =>
            isHintDue(hint, clock.currentTimeMillisUnsafe())
              ? Effect.logInfo("session", line)
              : Effect.logDebug("session", line)
          )
    return Effect.andThen(noted(strangers, outcome), whispered)
  })
})

/** Counts an event. The summary uses the log level of the event's fiber, so that of its connection's settings. */
const noted = (summary: Summary.Summary, kind: string): Effect.Effect<void> =>
  Effect.map(References.MinimumLogLevel, (least) => summary.note(kind, least))

/** Decisions have lines of their own, but those about forwarded requests. */
const lineOf = (event: SessionEnded) => {
  const line = defined(event, omitted)
  if (event.command === "FORWARD" && event.rule !== undefined) line.rule = event.rule
  return line
}

const omitted: ReadonlySet<string> = new Set<keyof SessionEnded>([
  "_tag",
  "isAuthenticated",
  "isAdmitted",
  "rule"
])

/**
 * Whether the client is a stranger: it has no user, and made no request. A stranger can cause a line with each
 * connection. A refused certificate is issued by the server's authority, so its client is no stranger.
 */
const isStranger = ({ isAdmitted, isAuthenticated, outcome }: SessionEnded): boolean =>
  !isAdmitted && !isAuthenticated && outcome !== "CertificateRefused"

/** Decides whether to log a hint: each hint once a minute, because strangers can cause hints without end. */
const makeHints = () => {
  const shown = new Map<string, number>()
  return (hint: string, now: number): boolean => {
    if (now - (shown.get(hint) ?? Number.NEGATIVE_INFINITY) < hintEvery) return false
    shown.set(hint, now)
    return true
  }
}

/** Milliseconds. */
const hintEvery = 60_000

/** Advice for the operator: a higher limit, or more open files where the limit is auto. */
const adviceOn = (counts: Readonly<Record<string, number>>): string => {
  if (counts.descriptors !== undefined) return `too few descriptors; ${OpenFiles.advice}`
  const settings = Object.keys(counts).map((kind) => `--max-${kind}`)
  return `${settings.join(" and ")} may be higher; if auto, ${OpenFiles.advice}`
}
