/**
 * What would have gone to the log, of every level.
 */
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"

export interface Line {
  readonly level: string
  readonly message: unknown
  readonly fields: Readonly<Record<string, unknown>>
}

export const captured = () => {
  const lines: Array<Line> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message: parts }) => {
    const [message, fields = {}] = Array.isArray(parts) ? parts : [parts]
    // A test clock says so by the machine's clock, where a test takes a second of it.
    if (String(message).startsWith("A test is using time")) return
    lines.push({ level: logLevel, message, fields })
  })
  const layer = Layer.merge(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, "All"))
  return { lines, layer }
}
