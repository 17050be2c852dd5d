/**
 * What the process runs: the command that it was given, until that ends or a
 * signal ends it.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Output from "./base/Output.ts"
import * as cli from "./cli.ts"
import * as ProcessRole from "./workers/ProcessRole.ts"

const complain = (text: string) => Output.stderr().write(text.split("\n"))

const refused = (error: Error, code: number) =>
  Effect.sync(() => {
    complain(error.message)
    return code
  })

const program = (version: string) =>
  cli.run(process.argv.slice(2), version).pipe(
    Effect.provide(Layer.merge(NodeServices.layer, cli.behaviour)),
    Effect.as(0),
    Effect.catch((error) => {
      switch (error._tag) {
        case "ShowHelp":
          return Effect.succeed(error.errors.length > 0 ? 2 : 0)
        case "Denied":
          return Effect.succeed(1)
        case "Undecided":
          return Effect.succeed(3)
        case "BadSetting":
        case "BadSettings":
        case "Unfit":
        case "OpenProxyRefused":
          return refused(error, 2)
        default:
          return refused(error, 1)
      }
    })
  )

/** Starts it, of this version. Returns what to do with the signals of the process. */
export const start = async (version: string): Promise<(signal: NodeJS.Signals) => void> => {
  // Signals are the primary's to follow, though a terminal sends them to all.
  const isWorker = await ProcessRole.isWorker()
  process.removeAllListeners("warning").on("warning", ({ name, stack, message }) => {
    // Node 22 emits it when it loads the SQLite in which usage is kept.
    if (name === "ExperimentalWarning" && message.startsWith("SQLite")) return
    complain(stack ?? message)
  })

  const fiber = Effect.runFork(program(version))
  fiber.addObserver((exit) => {
    if (Exit.isSuccess(exit)) return Output.exitPrinted(exit.value)
    if (Cause.hasInterruptsOnly(exit.cause)) return Output.exit(0)
    complain(Cause.pretty(exit.cause))
    Output.exit(70)
  })

  // The first signal drains, the second does not wait for that.
  let first: { readonly signal: NodeJS.Signals; readonly at: number } | undefined
  return (signal) => {
    if (isWorker || !isStop(signal)) return
    // Terminals, npm and timeout(1) send one to a process and to its group, and it gets both.
    const isEcho = first?.signal === signal && performance.now() - first.at < 1000
    if (first && !isEcho) Output.exitNow(codes[signal])
    first ??= { signal, at: performance.now() }
    fiber.interruptUnsafe()
  }
}

/** As a shell has them of a process that a signal has ended. */
const codes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }

const isStop = (signal: NodeJS.Signals): signal is keyof typeof codes =>
  signal === "SIGINT" || signal === "SIGTERM" || (signal === "SIGHUP" && Output.hasLostTerminal())
