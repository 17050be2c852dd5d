// Servers written in Go: built from Debian's sources of what they use.
import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { inBench } from "./paths.js"

/** Where Debian's packages of Go libraries put their sources. */
const libraries = "/usr/share/gocode"

/** @param {string} name of a directory in `servers/` @returns {string} the program */
export const goProgram = (name) => inBench(`.build/${name}`)

/**
 * Builds it. Go's own cache makes this quick from the second time on.
 *
 * @param {string} name of a directory in `servers/` @param {string} library that it is made of, by its path
 * @returns {string} Go's version
 */
export const buildGo = (name, library) => {
  if (!existsSync(`${libraries}/src/${library}`)) throw new Error(`${library} is not installed`)
  // Nothing is fetched: without modules there is only what is installed.
  const env = { ...process.env, GO111MODULE: "off", GOPATH: libraries, GOCACHE: inBench(".build/go-cache") }
  /** @param {readonly string[]} args */
  const go = (...args) => execFileSync("go", args, { cwd: inBench(`servers/${name}`), env, encoding: "utf8" })
  go("build", "-o", goProgram(name), ".")
  return go("env", "GOVERSION").trim().replace(/^go/, "Go ")
}
