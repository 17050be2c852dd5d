/**
 * The DevTools protocol, by which Chromium lets itself be controlled: JSON on two pipes, with NUL behind each message.
 */
import { spawn } from "node:child_process"
import type { Readable, Writable } from "node:stream"
import * as Effect from "effect/Effect"

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>> & { readonly requestId?: string }
  readonly result?: Readonly<Record<string, string>>
}

/**
 * Starts Chromium with these flags, opens the page, and answers each proxy that asks with this name and password. Chromium
 * ends with the scope.
 */
export const open = (flags: ReadonlyArray<string>, url: string, name: string, password: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const browser = spawn("chromium", ["--remote-debugging-pipe", ...flags, "about:blank"], {
        stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"]
      })
      const [, , , commands, messages] = browser.stdio as unknown as [null, null, null, Writable, Readable]
      let id = 0
      let session: string | undefined
      const send = (method: string, params: object = {}) => {
        const message = { id: ++id, method, params, ...(session !== undefined && { sessionId: session }) }
        commands.write(`${JSON.stringify(message)}\0`)
      }
      const take = ({ method, params, result }: Message) => {
        if (result?.targetId) send("Target.attachToTarget", { targetId: result.targetId, flatten: true })
        if (result?.sessionId && session === undefined) {
          session = result.sessionId
          // The upload is not to come through these pipes.
          send("Fetch.enable", { handleAuthRequests: true, patterns: [{ resourceType: "Document" }] })
          send("Page.navigate", { url })
        }
        const requestId = params?.requestId
        if (method === "Fetch.requestPaused") send("Fetch.continueRequest", { requestId })
        if (method === "Fetch.authRequired") {
          const answer = { response: "ProvideCredentials", username: name, password }
          send("Fetch.continueWithAuth", { requestId, authChallengeResponse: answer })
        }
      }
      let text = ""
      commands.on("error", () => {})
      messages
        .on("data", (chunk: Buffer) => {
          const parts = (text + chunk).split("\0")
          text = parts.pop()!
          for (const part of parts) take(JSON.parse(part))
        })
        .on("error", () => {})
      send("Target.createTarget", { url: "about:blank" })
      return browser
    }),
    (browser) =>
      Effect.callback<void>((resume) => {
        browser.once("exit", () => resume(Effect.void))
        if (!browser.kill("SIGKILL")) resume(Effect.void)
      })
  )
