/**
 * Tests with other people's programs: skipped where one is missing, but not in CI.
 */
import { spawnSync } from "node:child_process"
import { describe, it } from "@effect/vitest"

const isThere = (name: string) => process.env.CI !== undefined || spawnSync("which", [name]).status === 0

/** `it.live`, where all of these commands are there. */
export const itNeeds = (...commands: ReadonlyArray<string>) => it.live.runIf(commands.every(isThere))

/** The same for a suite. */
export const describeNeeds = (...commands: ReadonlyArray<string>) => describe.runIf(commands.every(isThere))
