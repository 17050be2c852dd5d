/**
 * What the admin listener of one machine asks the others of its fleet, and how each answers.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { FleetPeers, type Machine } from "../fleet/FleetPeers.ts"
import { SessionRow, Status, sessionQuery } from "./Api.ts"
import { Control } from "./Control.ts"
import { Operations } from "./Operations.ts"
import * as Paced from "./Paced.ts"
import { Readiness } from "./Readiness.ts"
import * as ServerStatus from "./ServerStatus.ts"
import * as SessionPage from "./SessionPage.ts"

const Question = Schema.Union([
  Schema.TaggedStruct("status", {}),
  Schema.TaggedStruct("limits", {}),
  Schema.TaggedStruct("sessions", { query: Schema.Struct(sessionQuery) }),
  Schema.TaggedStruct("end", { session: Schema.Int }),
  Schema.TaggedStruct("drain", { isOn: Schema.Boolean }),
  Schema.TaggedStruct("reload", {})
])
export type Question = typeof Question.Type

/** Questions that change nothing. */
const readings: ReadonlySet<Question["_tag"]> = new Set(["status", "limits", "sessions"])

/** The answers, by their question. */
export const Answers = {
  status: Status,
  limits: Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.String })),
  sessions: Schema.Struct({ total: Schema.Int, rows: Schema.Array(SessionRow) }),
  end: Schema.Struct({ isFound: Schema.Boolean }),
  drain: Schema.Struct({}),
  /** The reason if the machine did not take its settings. */
  reload: Schema.Struct({ failure: Schema.NullOr(Schema.String) })
}
export type Answer<Tag extends keyof typeof Answers> = (typeof Answers)[Tag]["Type"]

/** What a machine tells of itself, as text for the others. */
export const nameOf = ({ id, told }: Machine): string => {
  const { name = id } = (Option.getOrUndefined(
    Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ name: Schema.String })))(told)
  ) ?? {}) as { readonly name?: string }
  return name
}

/** Answers the questions of other machines, and those of this machine to itself, on a machine of a fleet. */
export const layer = Layer.effectDiscard(
  Effect.flatMap(
    Effect.serviceOption(FleetPeers),
    Option.match({ onNone: () => Effect.void, onSome: (peers) => answering(peers) })
  )
)

const answering = Effect.fnUntraced(function* ({ answer }: FleetPeers["Service"]) {
  const { server, sessions } = yield* Control
  const { setDraining } = yield* Readiness
  const { limits, reload } = yield* Operations
  const status = yield* ServerStatus.make
  const decode = Schema.decodeUnknownOption(Question)

  const answerTo = (question: Question): Effect.Effect<unknown> => {
    switch (question._tag) {
      case "status":
        return status
      case "limits":
        return Effect.map(limits, (all): Answer<"limits"> => all.map(({ name, value }) => ({ name, value })))
      case "sessions":
        return Effect.flatMap(
          sessions.read,
          (all): Effect.Effect<Answer<"sessions">> => Paced.run(SessionPage.page(all, question.query))
        )
      case "end":
        return Effect.ensuring(
          Effect.map(server.endSession(question.session), (isFound): Answer<"end"> => ({ isFound })),
          sessions.forget
        )
      case "drain":
        return Effect.as(setDraining(question.isOn), {})
      case "reload":
        return (reload ?? Effect.void).pipe(
          Effect.match({
            onFailure: ({ message }): Answer<"reload"> => ({ failure: message }),
            onSuccess: (): Answer<"reload"> => ({ failure: null })
          })
        )
    }
  }
  yield* answer((text) =>
    Option.match(decode(text), {
      // A question of a later version.
      onNone: () => Effect.succeed(null),
      onSome: (question) =>
        readings.has(question._tag)
          ? answerTo(question)
          : Effect.andThen(Effect.logInfo("fleet", { asked: question._tag }), answerTo(question))
    })
  )
})
