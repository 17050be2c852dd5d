/**
 * Writes the code cache of the built program: the last step of the build.
 *
 * A server starts in a child process, and stops as soon as it listens, so that the cache has all functions of a start.
 */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as CodeCache from "./base/CodeCache.ts"
import type * as Program from "./program.ts"

const serve = ["--listen", "127.0.0.1:0", "--log-level", "info"]

if (process.argv.length > 2) {
  const bundle = CodeCache.open(fileURLToPath(new URL("bundle", import.meta.url)))
  const { start } = bundle.load("program.cjs") as typeof Program
  const stop = await start("")
  process.once("SIGTERM", stop).once("exit", bundle.writeCaches)
} else {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...serve], {
    stdio: ["ignore", "pipe", "inherit"],
    // Settings of whoever builds are none of this server, and the flags of a start are the usual ones.
    env: {}
  })
  child.stdout.once("data", () => child.kill("SIGTERM"))
  // Without a cache the program only starts more slowly.
  child.once("exit", (code) => code === 0 || console.warn("the code cache could not be written"))
}
