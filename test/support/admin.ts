/**
 * Requests to an admin listener, over TCP or a socket in the file system.
 */
import { type IncomingMessage, type RequestOptions, request } from "node:http"
import * as Effect from "effect/Effect"
import * as Program from "./program.ts"

/** A socket's path, or a port of 127.0.0.1 or another host; and the token to show. */
export interface At {
  readonly socketPath?: string
  readonly host?: string
  readonly port?: number
  readonly token?: string
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage["headers"]
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: whatever the answer is.
  readonly json: any
}

export interface Options extends Pick<RequestOptions, "method" | "headers"> {
  readonly body?: unknown
}

export const token = "0123456789-abcdefghij"

/** A program with an admin listener, for all tests of a file, and where the listener is. */
export const forFile = (flags: ReadonlyArray<string>) => {
  const started = Program.forFile(["--admin", "127.0.0.1:0", "--admin-token", token, ...flags])
  return Effect.runSync(
    Effect.cached(
      Effect.gen(function* () {
        const program = yield* started
        const { address } = yield* program.sinceStart({ message: "admin listens" })
        return { program, at: { port: Program.portOf(String(address)), token } }
      })
    )
  )
}

/** The whole answer. */
export const ask = (at: At, path: string, options: Options = {}): Effect.Effect<Answer> =>
  Effect.callback((resume) => {
    const sent = send(at, path, options, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk) => chunks.push(chunk))
      response.on("end", () => resume(Effect.succeed(answerOf(response, Buffer.concat(chunks).toString()))))
    })
    sent.on("error", ({ message }) => resume(Effect.die(new Error(`${path}: ${message}`))))
  })

/** The answer as it comes: a text that grows, until the scope closes. */
export const follow = (at: At, path: string) =>
  Effect.acquireRelease(
    Effect.callback<{
      readonly status: number
      readonly text: () => string
      readonly isEnded: () => boolean
    }>((resume) => {
      const sent = send(at, path, {}, (response) => {
        let text = ""
        let isEnded = false
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk
        })
        response
          .on("error", () => {})
          .on("close", () => {
            isEnded = true
          })
        resume(
          Effect.succeed({
            status: response.statusCode ?? 0,
            text: () => text,
            isEnded: () => isEnded,
            close: () => sent.destroy()
          })
        )
      })
      sent.on("error", () => {})
    }),
    (stream) => Effect.sync(() => (stream as unknown as { close: () => void }).close())
  )

const send = (
  { socketPath, host = "127.0.0.1", port, token }: At,
  path: string,
  { method = "GET", headers, body }: Options,
  onAnswer: (response: IncomingMessage) => void
) =>
  request(
    {
      ...(socketPath === undefined ? { host, port } : { socketPath }),
      ...{ path, method, agent: false },
      headers: {
        host: "localhost",
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers
      }
    },
    onAnswer
  ).end(body === undefined ? undefined : JSON.stringify(body))

const answerOf = (response: IncomingMessage, text: string): Answer => ({
  status: response.statusCode ?? 0,
  headers: response.headers,
  text,
  json: /json/.test(response.headers["content-type"] ?? "") && text !== "" ? JSON.parse(text) : undefined
})
