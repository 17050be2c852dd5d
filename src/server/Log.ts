/**
 * The formats of log lines. The second argument of a log call is an object, whose fields become fields of the line.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import type * as Outlet from "../base/Outlet.ts"
import * as Output from "../base/Output.ts"

/** One JSON object per line. */
export const json = Logger.make<unknown, string>(({ date, logLevel, message, cause }) => {
  const { text, fields } = parts(message)
  const head = `{"time":"${timeOf(date)}","level":"${logLevel.toLowerCase()}","message":${JSON.stringify(text)}`
  // The fields are not copied into one object with the head: for the line of a session, copying is half the cost.
  const body = JSON.stringify(fields)
  const tail = cause.reasons.length > 0 ? `,"cause":${JSON.stringify(Cause.pretty(cause))}}` : "}"
  return body === "{}" ? head + tail : `${head},${body.slice(1, -1)}${tail}`
})

/** The time in ISO 8601. Lines of the same second share the text but for the milliseconds. */
const timeOf = (date: Date): string => {
  const millis = date.getTime() % 1000
  if (date.getTime() - millis !== second.at) {
    second = { at: date.getTime() - millis, text: date.toISOString().slice(0, -4) }
  }
  return `${second.text}${String(millis).padStart(3, "0")}Z`
}
/** A cache of the last second's text, which is no state of a server. */
let second = { at: Number.NaN, text: "" }

/** A format for people: the time of day, the message, and the fields with a value. */
export const pretty = Logger.make<unknown, string>(({ date, logLevel, message, cause }) => {
  const { text, fields } = parts(message)
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${plain(value)}`)
  const line = `${date.toISOString().slice(11, 23)} ${logLevel.toUpperCase().padEnd(5)} ${text}${pairs.join("")}`
  return cause.reasons.length > 0 ? `${line}\n${Cause.pretty(cause)}` : line
})

/**
 * Writes lines to an outlet, in batches. One write for each line would cost a busy server as much user time as
 * the rest of a session.
 */
export const toOutlet = (
  format: Logger.Logger<unknown, string>,
  { write, onDropped }: Outlet.Outlet = Output.stdout()
) =>
  Effect.withFiber((fiber) => {
    onDropped((dropped) =>
      format.log({
        fiber,
        date: new Date(),
        logLevel: "Warn",
        cause: Cause.empty,
        message: ["log lines were dropped: the output did not take them", { dropped }]
      })
    )
    return Logger.batched(format, { window: "50 millis", flush: (lines) => Effect.sync(() => write(lines)) })
  })

/** The text and the fields of a message. */
export const parts = (message: unknown): { readonly text: string; readonly fields: object } => {
  const [text, fields] = Array.isArray(message) ? message : [message]
  return {
    text: String(text),
    fields:
      fields instanceof Error
        ? { error: fields.stack }
        : typeof fields === "object" && fields !== null
          ? fields
          : {}
  }
}

const plain = (value: unknown): string => {
  const text = typeof value === "string" ? value : JSON.stringify(value)
  return typeof value === "string" && /[\s"=]/.test(text) ? JSON.stringify(text) : text
}
