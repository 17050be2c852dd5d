/**
 * How requests are answered that have shown the token: what reads is shared, what else there is is bounded in number.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as SharedAnswers from "./SharedAnswers.ts"

/** The most requests at a time that are not shared, and the most that wait for their turn. */
const mostAtOnce = 8
const mostWaiting = 256

/**
 * Answers requests until the scope closes: reading ones by `read`, which gets their targets, and all others by `handle`.
 */
export const make = Effect.fnUntraced(function* (
  handle: RequestListener,
  read: (target: string) => Effect.Effect<SharedAnswers.Answer>
): Effect.fn.Return<RequestListener, never, Scope.Scope> {
  const answers = yield* SharedAnswers.make(read)
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const waiting: Array<() => void> = []
  let running = 0

  const next = () => {
    running--
    waiting.shift()?.()
  }

  /** Handles a request when it is its turn. */
  const inTurn = (request: IncomingMessage, response: ServerResponse) => {
    const begin = () => {
      running++
      response.once("close", next)
      if (response.destroyed) next()
      else handle(request, response)
    }
    if (running < mostAtOnce) begin()
    else if (waiting.length < mostWaiting) waiting.push(begin)
    else write(request, response, SharedAnswers.busy)
  }

  return (request, response) => {
    const { method, url = "/" } = request
    const [path = ""] = url.split("?", 1)
    const isReading = method === "GET" || method === "HEAD"
    if (isReading && isAlways(path)) return handle(request, response)
    if (isReading && isShared(path)) {
      fork(Effect.map(answers.read(url), (answer) => write(request, response, answer)))
      return
    }
    if (!isReading) {
      // Answers that were begun before the change has ended may be of before.
      response.prependListener("finish", answers.forget)
      response.once("close", answers.forget)
    }
    inTurn(request, response)
  }
})

/** What waits for nothing: streams, which stay open and are bounded by the hub, and health, which is that of this moment. */
const isAlways = (path: string): boolean =>
  ["/api/events", "/traffic", "/logs", "/healthz", "/readyz"].includes(path)

/** The usage is read from a database. */
const isShared = (path: string): boolean =>
  (path.startsWith("/api/") && path !== "/api/usage") ||
  ["/metrics", "/openapi.json", "/connections", "/version"].includes(path)

const write = ({ method }: IncomingMessage, response: ServerResponse, answer: SharedAnswers.Answer): void => {
  if (response.destroyed) return
  const { status, headers, body } = answer
  response.writeHead(status, { ...headers, "content-length": body.length })
  response.end(method === "HEAD" ? undefined : body)
}
