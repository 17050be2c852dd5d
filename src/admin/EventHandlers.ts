/**
 * The endpoint of events, as server-sent events (WHATWG HTML §9.2).
 */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import type * as Event from "../session/Event.ts"
import { Events } from "../session/Events.ts"
import { printable } from "../wire/Text.ts"
import { AdminApi, Invalid } from "./Api.ts"
import { Control } from "./Control.ts"
import type { Subject } from "./EventHub.ts"
import * as EventResponse from "./EventResponse.ts"

export const layer = HttpApiBuilder.group(
  AdminApi,
  "events",
  Effect.fnUntraced(function* (handlers) {
    const { to } = yield* Events
    const { hub } = yield* Control
    return handlers.handleRaw("stream", ({ query: { tags, verdict } }) =>
      Effect.flatMap(tagsOf(tags, Object.keys(to)), (chosen) =>
        EventResponse.follow(hub, subject(chosen, verdict), "text/event-stream")
      )
    )
  })
)

const subject = (tags: Subject["tags"], verdict: string | undefined): Subject => ({
  name: `${[...tags].sort().join()} ${verdict ?? ""}`,
  tags,
  isAsked: (event) => event._tag !== "SessionDecided" || isAsked(event.verdict, verdict),
  textOf: (event) =>
    `data: ${JSON.stringify("defect" in event ? { ...event, defect: undefined } : event)}\n\n`,
  alive: 'data: {"_tag":"Alive"}\n\n'
})

/** Denials that are only logged (`report-only`) are denials, too. */
const isAsked = (verdict: Event.SessionDecided["verdict"], asked: string | undefined): boolean =>
  asked === undefined || verdict === asked || (asked === "deny" && verdict === "would deny")

/** The kinds of events in a list with commas; all of them without a list. */
const tagsOf = (
  list: string | undefined,
  known: ReadonlyArray<string>
): Effect.Effect<Subject["tags"], Invalid> => {
  const asked = [...new Set(list?.split(",") ?? known)]
  const unknown = asked.find((tag) => !known.includes(tag))
  return unknown === undefined
    ? Effect.succeed(asked.filter((tag) => tag !== "EventsMissed") as unknown as Subject["tags"])
    : Effect.fail(
        new Invalid({
          message: `"${printable(unknown)}" is no kind of event; the kinds are ${known.join(", ")}`
        })
      )
}
