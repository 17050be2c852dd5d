// Where a line of a script comes from, also if it is a bundle of many modules.
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** @typedef {{ readonly path: string, readonly line: number }} Header */

/** @type {Map<string, readonly Header[]>} the last first */
const known = new Map()

/** @param {string} script as V8 names it @param {number} line from 1 @returns {string} `dist/network/RelayPair.js:40`, or a module of Node's */
export const placeOf = (script, line) => {
  if (!/^(?:file:|\/)/.test(script)) return `${script}:${line}`
  const headers = known.get(script) ?? headersOf(script)
  known.set(script, headers)
  const { path, line: first } = headers.find((header) => header.line <= line) ?? { path: script, line: 0 }
  return `${path.replace(/^(.*\/)?node_modules\/|^.*\/(?=(dist|servers)\/)/, "")}:${line - first}`
}

/** The lines in which a bundler puts the path of the module that follows. @param {string} script */
const headersOf = (script) =>
  readFileSync(script.startsWith("file:") ? fileURLToPath(script) : script, "utf8")
    .split("\n")
    .flatMap((text, index) => (/^\/\/ \S+\.js$/.test(text) ? [{ path: text.slice(3), line: index + 1 }] : []))
    .reverse()
