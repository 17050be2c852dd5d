/**
 * The stream of events, as server-sent events (WHATWG HTML §9.2). A stream costs little whatever happens: it is written
 * four times a second at most, holds so many events, and drops and counts further events.
 */
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Stream from "effect/Stream"
import type * as Event from "../session/Event.ts"
import { Events, makeBuffer } from "../session/Events.ts"
import { printable } from "../wire/Text.ts"
import { AdminApi, Invalid, TooManyStreams } from "./Api.ts"

/** The most streams at a time. */
export const mostStreams = 100

/** The most events that a stream is sent in each quarter of a second. */
const capacity = 256

/** Below the time after which proxies and this listener close a silent connection. */
const heartbeat = "15 seconds"

export const layer = HttpApiBuilder.group(
  AdminApi,
  "events",
  Effect.fnUntraced(function* (handlers) {
    const events = yield* Events
    const text = texts()
    let open = 0
    return handlers.handleRaw("stream", ({ query: { tags, verdict } }) =>
      Effect.gen(function* () {
        const chosen = yield* tagsOf(tags, events)
        if (open >= mostStreams) {
          return yield* new TooManyStreams({ message: `${mostStreams} streams of events are open already` })
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => open++),
          () => Effect.sync(() => open--)
        )
        const buffer = makeBuffer(capacity)
        yield* events.listen(chosen, (event) =>
          event._tag === "SessionDecided" && !isAsked(event.verdict, verdict)
            ? Effect.void
            : buffer.put(event)
        )
        const written = Effect.map(Effect.delay(buffer.take, "250 millis"), (batch) =>
          frames(batch.map(text))
        )
        const alive = Effect.succeed(frames(['{"_tag":"Alive"}']))
        let isFirst = true
        const pull = Effect.suspend(() => {
          if (!isFirst) return Effect.raceFirst(written, Effect.delay(alive, heartbeat))
          isFirst = false
          // Node sends no head before the first byte of a body.
          return alive
        })
        return HttpServerResponse.stream(Stream.fromPull(Effect.succeed(pull)), {
          contentType: "text/event-stream",
          headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
        })
      })
    )
  })
)

/** Denials that are only logged (`report-only`) are denials, too. */
const isAsked = (verdict: Event.SessionDecided["verdict"], asked: string | undefined): boolean =>
  asked === undefined || verdict === asked || (asked === "deny" && verdict === "would deny")

/** The kinds of events in a list with commas; all of them without a list. */
const tagsOf = (
  list: string | undefined,
  { to }: Events["Service"]
): Effect.Effect<ReadonlyArray<Event.Tag>, Invalid> => {
  const known = Object.keys(to) as ReadonlyArray<Event.Tag>
  const asked = list?.split(",") ?? known
  const unknown = asked.find((tag) => !known.includes(tag as Event.Tag))
  return unknown === undefined
    ? Effect.succeed(asked as ReadonlyArray<Event.Tag>)
    : Effect.fail(
        new Invalid({
          message: `"${printable(unknown)}" is no kind of event; the kinds are ${known.join(", ")}`
        })
      )
}

/** The text of an event, which is made once for all streams. */
const texts = () => {
  const known = new WeakMap<Event.Event, string>()
  return (event: Event.Event): string => {
    const before = known.get(event)
    if (before !== undefined) return before
    const made = JSON.stringify("defect" in event ? { ...event, defect: undefined } : event)
    known.set(event, made)
    return made
  }
}

const frames = (texts: ReadonlyArray<string>): Arr.NonEmptyReadonlyArray<Uint8Array> => [
  utf8.encode(texts.map((text) => `data: ${text}\n\n`).join(""))
]

const utf8 = new TextEncoder()
