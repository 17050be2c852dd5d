#!/usr/bin/env node
import { handleSignals } from "./base/EarlySignals.ts"
/**
 * The process: its arguments, its signals and its exit code.
 *
 * 0 after a graceful stop, 1 if it cannot listen or keep its state (or `explain` is a denial), 2 if settings or
 * flags cannot be used.
 */
import { keepYoungGenerationSmall } from "./base/GarbageCollector.ts"
import "./workers/InspectorBlock.ts"
import { writeSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import * as CodeCache from "./base/CodeCache.ts"
import { inlineLess } from "./base/Compiler.ts"
import type * as Program from "./program.ts"

try {
  const { version } = createRequire(import.meta.url)("../package.json")
  const bundle = CodeCache.open(fileURLToPath(new URL("bundle", import.meta.url)))
  const { start } = bundle.load("program.cjs") as typeof Program
  // Behind the loading, as V8 takes a code cache only with the flags that the cache was written with.
  // An operator's own flags are left alone.
  const flags = [...process.execArgv, process.env.NODE_OPTIONS ?? ""].join(" ")
  if (!flags.includes("semi")) keepYoungGenerationSmall()
  if (!flags.includes("inlined")) inlineLess()
  handleSignals(await start(version))
} catch (error) {
  // Without descriptors nothing can be loaded, the program's own error messages included.
  const { code } = error as NodeJS.ErrnoException
  if (code !== "EMFILE" && code !== "ENFILE") throw error
  writeSync(2, `too many open files (${code}): raise the limit on open files (ulimit -n)\n`)
  process.exit(1)
}
