// Puts what was measured into the README, between its markers.
import { readFileSync, writeFileSync } from "node:fs"
import { inBench } from "./paths.js"

/**
 * @param {string} text @param {string} name of the pair of markers @param {string} content
 * @returns {string} the text with the content between them
 */
export const between = (text, name, content) => {
  const [begin, end] = [`<!-- ${name}: written by npm run bench -- --publish -->`, `<!-- end of ${name} -->`]
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`there is no place marked ${name}`)
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`
}

/** @param {string} name @param {string} content */
export const publish = (name, content) => {
  const path = inBench("README.md")
  writeFileSync(path, between(readFileSync(path, "utf8"), name, content))
}
