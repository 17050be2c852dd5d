/**
 * Tests with other people's programs: skipped where one is missing, but not in CI.
 */
import { spawnSync } from "node:child_process"
import { it } from "@effect/vitest"

/** `it.live`, where all of these commands are there. */
export const itNeeds = (...commands: ReadonlyArray<string>) =>
  it.live.skipIf(!process.env.CI && commands.some((name) => spawnSync("which", [name]).status !== 0))
