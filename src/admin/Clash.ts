/**
 * The endpoints of Clash's controller that its dashboards and phone apps use: the sessions as connections, and streams
 * of a JSON object a line. They take the same token as the rest of the API, in its field.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import * as Slices from "../base/Slices.ts"
import type { SessionSnapshot } from "../session/SessionSnapshot.ts"
import { audited } from "./AuditLog.ts"
import { Control } from "./Control.ts"
import type { Subject } from "./EventHub.ts"
import * as EventResponse from "./EventResponse.ts"
import { Operations } from "./Operations.ts"
import * as Paced from "./Paced.ts"

export const layer = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const { server, sessions, hub } = yield* Control
    const { version } = yield* Operations

    const connections = Effect.gen(function* () {
      const { sent, received } = yield* server.census
      const all = yield* sessions.read
      const rows = yield* Paced.run(
        Slices.map(
          all.filter(({ target }) => target !== undefined),
          connection
        )
      )
      return yield* Paced.list(rows, {}, [
        `{"uploadTotal":${sent},"downloadTotal":${received},"connections":`,
        "}"
      ])
    })
    // One census for all readers.
    const census = yield* Effect.cachedWithTTL(server.census, "900 millis")
    const traffic = Effect.map(census, ({ sent, received }) => {
      let before = { sent, received }
      const next = Effect.map(census, (now) => {
        const line = {
          up: Math.max(0, now.sent - before.sent),
          down: Math.max(0, now.received - before.received)
        }
        before = now
        return line
      })
      return lines(Stream.mapEffect(Stream.tick("1 second"), () => next))
    })
    const logs = EventResponse.follow(hub, ended(version), "application/json").pipe(
      Effect.catch(({ message }) => Effect.succeed(HttpServerResponse.text(message, { status: 503 })))
    )
    const end = Effect.gen(function* () {
      const { id = "" } = yield* HttpRouter.params
      const isFound = /^\d{1,15}$/.test(id) && (yield* server.endSession(Number(id)))
      yield* sessions.forget
      yield* audited("end session", { session: id })(
        isFound ? Effect.void : Effect.fail({ _tag: "NotFound" as const })
      ).pipe(Effect.ignore)
      return HttpServerResponse.empty({ status: isFound ? 204 : 404 })
    })
    yield* router.add("GET", "/version", json({ version, meta: false, premium: false }))
    yield* router.add("GET", "/connections", connections)
    yield* router.add("DELETE", "/connections/:id", end)
    yield* router.add("GET", "/traffic", traffic)
    yield* router.add("GET", "/logs", logs)
  })
)

const json = (body: unknown) => HttpServerResponse.jsonUnsafe(body)

/** A line for each session that has ended. */
const ended = (version: string): Subject => ({
  name: "lines of Clash",
  tags: ["SessionEnded"],
  isAsked: () => true,
  textOf: (event) => {
    if (event._tag === "SessionEnded") {
      return line({ type: "info", payload: `${event.client} --> ${event.target ?? "-"}: ${event.outcome}` })
    }
    return event._tag === "EventsMissed"
      ? line({ type: "warning", payload: `${event.count} lines were left out` })
      : ""
  },
  alive: line({ type: "debug", payload: `effect-socks ${version}` })
})

/** A session as Clash has connections. */
const connection = (session: SessionSnapshot) => {
  const client = split(session.client)
  const target = split(session.target ?? "")
  return {
    id: String(session.id),
    metadata: {
      network: session.command === "ASSOCIATE" ? "udp" : "tcp",
      type: session.protocol ?? "",
      sourceIP: client.host,
      sourcePort: client.port,
      destinationIP: session.address === undefined ? "" : split(session.address).host,
      destinationPort: target.port,
      host: target.host,
      inboundUser: session.user ?? ""
    },
    upload: session.sent,
    download: session.received,
    start: new Date(session.startedAt).toISOString(),
    chains: [session.route ?? "direct"],
    rule: session.rule ?? "",
    rulePayload: ""
  }
}

/** The parts of `HOST:PORT`. */
const split = (place: string): { readonly host: string; readonly port: string } => {
  const colon = place.lastIndexOf(":")
  return { host: place.slice(0, colon).replace(/^\[|\]$/g, ""), port: place.slice(colon + 1) }
}

const lines = (values: Stream.Stream<unknown>) =>
  HttpServerResponse.stream(
    Stream.map(values, (value) => utf8.encode(line(value))),
    { contentType: "application/json" }
  )

const line = (value: unknown): string => `${JSON.stringify(value)}\n`

const utf8 = new TextEncoder()
