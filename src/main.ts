#!/usr/bin/env node
/**
 * The process: what it is given, how it is told to stop, and its exit code.
 *
 * 0 after a graceful stop, 1 if it cannot listen or keep its state (or `explain` is a denial), 2 if settings or
 * flags cannot be used.
 */
import "./workers/Disarm.ts"
import { createRequire } from "node:module"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as cli from "./cli.ts"
import * as Role from "./workers/Role.ts"

const { version } = createRequire(import.meta.url)("../package.json")

const program = Command.run(cli.command, { version }).pipe(
  Effect.provide(Layer.merge(NodeServices.layer, cli.behaviour)),
  Effect.as(0),
  Effect.catch((error) => {
    switch (error._tag) {
      case "ShowHelp":
        return Effect.succeed(error.errors.length > 0 ? 2 : 0)
      case "Denied":
        return Effect.succeed(1)
      case "BadSetting":
      case "BadSettings":
      case "Unfit":
      case "OpenProxyRefused":
        return Effect.as(Console.error(error.message), 2)
      default:
        return Effect.as(Console.error(error.message), 1)
    }
  })
)

const fiber = Effect.runFork(program)

// Signals are the primary's to follow, though a terminal sends them to all.
const isWorker = await Role.isWorker()

// The first signal drains, the second does not wait for that.
let first: { readonly signal: NodeJS.Signals; readonly at: number } | undefined
const stopOn = (signal: NodeJS.Signals, code: number) =>
  process.on(signal, () => {
    if (isWorker) return
    // Terminals, npm and timeout(1) send one to a process and to its group, and it gets both.
    const isEcho = first?.signal === signal && performance.now() - first.at < 1000
    if (first && !isEcho) process.exit(code)
    first ??= { signal, at: performance.now() }
    fiber.interruptUnsafe()
  })
stopOn("SIGINT", 130)
stopOn("SIGTERM", 143)
if (isWorker) for (const signal of ["SIGHUP", "SIGUSR2"] as const) process.on(signal, () => {})

fiber.addObserver((exit) => {
  if (Exit.isSuccess(exit)) return process.exit(exit.value)
  if (Cause.hasInterruptsOnly(exit.cause)) return process.exit(0)
  console.error(Cause.pretty(exit.cause))
  process.exit(70)
})
