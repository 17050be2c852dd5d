/**
 * A listening address that comes up after the server, in a network namespace of
 * the test's own.
 *
 * @module-tag transport
 */
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Program from "../support/program.ts"
import * as Temporary from "../support/temporary.ts"

const isPermitted = (() => {
  try {
    execFileSync("unshare", ["--net", "ip", "address", "add", "fd00:9::9/128", "dev", "lo"], {
      stdio: "ignore"
    })
    return true
  } catch {
    return false
  }
})()

/** Starts the program where there is no such address, and what has the shell around it go on to this. */
const start = Effect.fnUntraced(function* (wait: string, workers: string, after = "true") {
  const go = join(yield* Temporary.directory, "go")
  const running = yield* Program.spawn(
    ["--open", "--workers", workers, "--listen", `[fd00:9::9]:1080?wait=${wait}`],
    {
      by: [
        ...["unshare", "--net"],
        ...Program.shell(
          `"$@" & pid=$!; trap 'kill $pid' TERM; until test -e ${go}; do sleep 0.1; done; ${after}; wait $pid; wait $pid`
        )
      ]
    }
  )
  const waits = running.logged({ message: "a listening address is not available yet: waiting for it" })
  return { ...running, waits, goOn: Effect.sync(() => writeFileSync(go, "")) }
})

const arrives = "ip link set lo up; ip address add fd00:9::9/128 dev lo nodad"

describe.concurrent("a missing address to listen on", () => {
  for (const workers of ["1", "2"]) {
    it.live.skipIf(!isPermitted)(`is listened on when it comes, with ${workers} workers`, () =>
      Effect.gen(function* () {
        const { waits, goOn, logged, kill, within } = yield* start("1h", workers, arrives)
        yield* waits
        yield* goOn
        yield* logged({ message: "listening" })
        yield* kill("SIGTERM")
        assert.strictEqual((yield* within("15 seconds")).code, 0)
      })
    )
  }

  it.live.skipIf(!isPermitted)("is an error when its time is over", () =>
    Effect.gen(function* () {
      const { waits, goOn, within } = yield* start("1s", "1")
      yield* waits
      yield* goOn
      const { code, stderr } = yield* within("30 seconds")
      assert.strictEqual(code, 1)
      assert.include(stderr, "cannot listen on [fd00:9::9]:1080")
    })
  )

  it.live.skipIf(!isPermitted)("holds up no stop, and a SIGHUP ends nothing", () =>
    Effect.gen(function* () {
      const { waits, goOn, within } = yield* start("1h", "1", "kill -HUP $pid; sleep 0.5; kill $pid")
      yield* waits
      yield* goOn
      const { code, stdout } = yield* within("30 seconds")
      assert.strictEqual(code, 0)
      assert.notInclude(stdout, '"listening"')
    })
  )
})
