/**
 * Programs in Go, built with Debian's packages and nothing from the network.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Processes from "./processes.ts"
import * as Temporary from "./temporary.ts"

const env = {
  GO111MODULE: "off",
  GOPATH: "/usr/share/gocode",
  // Without cgo it takes no C compiler, but compiles Go's own packages of networks, which are kept for other tests.
  CGO_ENABLED: "0",
  GOCACHE: fileURLToPath(new URL("../../node_modules/.cache/go", import.meta.url))
}

/** Milliseconds for a test that builds a program. */
export const patience = 180_000

/** The path of the program with this source. */
export const build = Effect.fnUntraced(function* (source: string) {
  const directory = yield* Temporary.directory
  writeFileSync(join(directory, "client.go"), source)
  const building = yield* Processes.start("go", ["build", "client.go"], { cwd: directory, env })
  const { code, stderr } = yield* building.within("2 minutes")
  assert.strictEqual(code, 0, stderr)
  return join(directory, "client")
})
