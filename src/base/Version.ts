/**
 * The version of this package.
 */
import { createRequire } from "node:module"

/** From the sources and from the bundle alike, package.json is two directories above. */
export const version = (): string => createRequire(import.meta.url)("../../package.json").version
