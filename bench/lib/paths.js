// Where things are.
import { fileURLToPath } from "node:url"

/** @param {string} path below `bench/` */
export const inBench = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url))

/** @param {string} path below the project's own directory */
export const inProject = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
