/**
 * Marionette, by which Firefox lets itself be controlled: over TCP, in JSON, with
 * the length and a colon before each message.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Sockets from "./sockets.ts"
import { until } from "./until.ts"

/** Makes Firefox listen, on a port that it writes to its profile. */
export const flags = ["--marionette", "--remote-allow-system-access"]
export const preferences = { "marionette.port": 0 }

/** A command, carried out when this returns. */
export type Command = (name: string, parameters: object) => Effect.Effect<void>

/** Takes control of the Firefox that has this profile, once it listens. */
export const control = Effect.fnUntraced(function* (
  profile: string
): Effect.fn.Return<Command, never, Scope.Scope> {
  const peer = yield* Sockets.connect(yield* until(() => portIn(profile)))
  yield* receive(peer)
  const command: Command = Effect.fnUntraced(function* (name, parameters) {
    const message = JSON.stringify([0, 0, name, parameters])
    yield* peer.send(`${Buffer.byteLength(message)}:${message}`)
    const [, , error] = yield* receive(peer)
    if (error !== null) return yield* Effect.die(new Error(`${name}: ${JSON.stringify(error)}`))
  })
  // Dialogs are the test's to answer.
  yield* command("WebDriver:NewSession", {
    pageLoadStrategy: "none",
    unhandledPromptBehavior: "ignore",
    acceptInsecureCerts: true
  })
  return command
})

const portIn = (profile: string) => {
  try {
    return Number(readFileSync(join(profile, "MarionetteActivePort"), "utf8")) || undefined
  } catch {
    // Not yet.
    return undefined
  }
}

const receive = Effect.fnUntraced(function* (peer: Sockets.TcpPeer) {
  let length = ""
  while (!length.endsWith(":")) {
    const digit = yield* peer.receive(1)
    if (digit.length === 0) return yield* Effect.die(new Error("Firefox has hung up"))
    length += String.fromCharCode(...digit)
  }
  const message = yield* peer.receive(Number(length.slice(0, -1)))
  return JSON.parse(new TextDecoder().decode(message))
})
