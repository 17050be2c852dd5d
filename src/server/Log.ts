/**
 * How log lines look. Fields given as the second argument of a log call become
 * fields of the line.
 */
import * as Cause from "effect/Cause"
import * as Logger from "effect/Logger"

/** One JSON object per line. */
export const json = Logger.make<unknown, void>(({ date, logLevel, message, cause }) => {
  const { text, fields } = parts(message)
  console.log(
    JSON.stringify({
      time: date.toISOString(),
      level: logLevel.toLowerCase(),
      message: text,
      ...fields,
      ...(cause.reasons.length > 0 && { cause: Cause.pretty(cause) })
    })
  )
})

/** For people: the time of day, the message, and the fields that have a value. */
export const pretty = Logger.make<unknown, void>(({ date, logLevel, message, cause }) => {
  const { text, fields } = parts(message)
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${plain(value)}`)
  console.log(
    `${date.toISOString().slice(11, 23)} ${logLevel.toUpperCase().padEnd(5)} ${text}${pairs.join("")}`
  )
  if (cause.reasons.length > 0) console.log(Cause.pretty(cause))
})

const parts = (message: unknown): { readonly text: string; readonly fields: object } => {
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
