/**
 * A listening address that comes up after the server, in a network namespace of
 * the test's own.
 */
import { execFileSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Program from "../support/program.ts"

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

/** Starts the program where there is no such address, and then does this. */
const start = (wait: string, workers: string, after: string) =>
  Program.spawn(["--open", "--workers", workers, "--listen", `[fd00:9::9]:1080?wait=${wait}`], {
    by: [
      ...["unshare", "--net"],
      ...Program.shell(`"$@" & pid=$!; trap 'kill $pid' TERM; ${after}; wait $pid; wait $pid`)
    ]
  })

const arrives = "sleep 2; ip link set lo up; ip address add fd00:9::9/128 dev lo nodad"

describe("a listening address that is not there", () => {
  for (const workers of ["1", "2"]) {
    it.live.skipIf(!isPermitted)(`is listened on when it comes, with ${workers} workers`, () =>
      Effect.gen(function* () {
        const running = yield* start("30s", workers, arrives)
        yield* running.logged({ message: "listening" })
        yield* running.kill("SIGTERM")
        assert.strictEqual((yield* running.within("15 seconds")).code, 0)
        const messages = running.lines().map(({ message }) => message)
        assert.include(messages, "a listening address is not there yet: it is waited for")
        assert.include(messages, "listening")
      })
    )
  }

  it.live.skipIf(!isPermitted)("is an error when its time is over", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* Effect.flatMap(start("1s", "1", "true"), (it) =>
        it.within("10 seconds")
      )
      assert.strictEqual(code, 1)
      assert.include(stderr, "cannot listen on [fd00:9::9]:1080")
    })
  )

  it.live.skipIf(!isPermitted)("holds up no stop, and a SIGHUP ends nothing", () =>
    Effect.gen(function* () {
      const running = yield* start("1h", "1", "sleep 1.5; kill -HUP $pid; sleep 0.5; kill $pid")
      const { code, stdout } = yield* running.within("10 seconds")
      assert.strictEqual(code, 0)
      assert.notInclude(stdout, '"listening"')
    })
  )
})
