// Where a line of a script comes from, also if it is a bundle of many modules.
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** @type {Map<string, readonly string[]>} */
const texts = new Map()

/** @param {string} script as V8 names it @param {number} line from 1 @returns {string} `dist/network/Link.js:40`, or a module of Node's */
export const placeOf = (script, line) => {
  if (!script.startsWith("file:")) return `${script}:${line}`
  const lines = texts.get(script) ?? readFileSync(fileURLToPath(script), "utf8").split("\n")
  texts.set(script, lines)
  // The bundler puts a module's path in a line of its own before it.
  const header = lines.findLastIndex((text, index) => index < line && /^\/\/ \S+\.js$/.test(text))
  const [path, at] = header < 0 ? [script, line] : [String(lines[header]).slice(3), line - header - 1]
  return `${path.replace(/^(.*\/)?node_modules\/|^.*\/(?=(dist|servers)\/)/, "")}:${at}`
}
