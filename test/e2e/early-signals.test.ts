/**
 * Signals in the first moments of a start, and the program as the first process
 * of its namespace.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { open } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { itNeeds } from "../support/needs.ts"
import * as Program from "../support/program.ts"
import * as Temporary from "../support/temporary.ts"

describe.concurrent("before the settings are read", () => {
  itNeeds("mkfifo")("SIGHUP and SIGUSR2 end nothing", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "config.yaml")
      execFileSync("mkfifo", [path])
      const running = yield* Program.spawn(["--config", path])
      // Opens when the program opens it to read.
      const file = yield* Effect.promise(() => open(path, "w"))
      yield* running.kill("SIGHUP")
      yield* running.kill("SIGUSR2")
      yield* Effect.sleep("100 millis")
      yield* Effect.promise(() => file.writeFile("listen: 127.0.0.1:0\n"))
      yield* Effect.promise(() => file.close())
      yield* running.logged({ message: "listening" })
    })
  )
})

describe.concurrent("a worker that a signal ends in its first moments", () => {
  itNeeds("pgrep")("is begun anew", () =>
    Effect.gen(function* () {
      const running = yield* Program.spawn(["--listen", "127.0.0.1:0", "--workers", "2"])
      const started = yield* Effect.forkChild(running.logged({ message: "listening" }))
      // As soon as there is one, long before it can take a signal.
      while (childrenOf(running.pid!).length === 0) yield* Effect.sleep("2 millis")
      for (const pid of childrenOf(running.pid!)) process.kill(pid, "SIGHUP")
      yield* Fiber.join(started)
      assert.lengthOf(childrenOf(running.pid!), 2)
      yield* running.kill("SIGTERM")
      assert.strictEqual((yield* running.within("10 seconds")).code, 0)
    })
  )
})

const childrenOf = (pid: number): ReadonlyArray<number> =>
  spawnSync("pgrep", ["-P", String(pid)], { encoding: "utf8" })
    .stdout.trim()
    .split("\n")
    .filter(Boolean)
    .map(Number)

const isPermitted = (() => {
  try {
    execFileSync("unshare", ["--pid", "--fork", "true"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
})()

describe.concurrent("as the first process of a namespace", () => {
  for (const workers of ["1", "2"]) {
    it.live.skipIf(!isPermitted)(`it starts, and stops when it is told to, with ${workers} workers`, () =>
      Effect.gen(function* () {
        const flags = ["--listen", "127.0.0.1:0", "--workers", workers, "--log-level", "debug"]
        const running = yield* Program.spawn(flags, { by: ["unshare", "--pid", "--fork"] })
        yield* running.logged({ message: "listening" })
        process.kill(childrenOf(running.pid!)[0]!, "SIGTERM")
        assert.strictEqual((yield* running.within("5 seconds")).code, 0)
      })
    )
  }
})
