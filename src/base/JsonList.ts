/**
 * A list in JSON, parsed in pieces: `JSON.parse` of tens of megabytes holds up everything else.
 */
import type * as Slices from "./Slices.ts"

/** The items of the list, or whatever else the text has, in pieces of so many characters. Throws if it is no JSON. */
export function* parse(text: string, piece = 65_536): Slices.Work<unknown> {
  const start = text.search(/[^ \t\r\n]/)
  if (text[start] !== "[" || text.length < piece) return JSON.parse(text)
  const items: Array<unknown> = []
  let depth = 0
  let from = start + 1
  const mark = /["[\]{},]/g
  for (mark.lastIndex = start; mark.test(text); ) {
    const at = mark.lastIndex - 1
    const found = text[at]
    if (found === '"') mark.lastIndex = endOfText(text, at)
    else if (found === "[" || found === "{") depth++
    else if (found === "]" || found === "}") {
      if (--depth > 0) continue
      if (found === "}" || /[^ \t\r\n]/.test(text.slice(at + 1))) break
      append(items, text.slice(from, at), from === start + 1)
      return items
    } else if (depth === 1 && at - from >= piece) {
      append(items, text.slice(from, at), false)
      from = at + 1
      yield
    }
  }
  throw new SyntaxError("no list in JSON")
}

/** Parses items. Only the whole of a list `mayBeEmpty`: on either side of a comma there has to be an item. */
const append = (items: Array<unknown>, text: string, mayBeEmpty: boolean): void => {
  const parsed: ReadonlyArray<unknown> = JSON.parse(`[${text}]`)
  if (parsed.length === 0 && !mayBeEmpty) throw new SyntaxError("no item beside a comma")
  for (const item of parsed) items.push(item)
}

/** Where the text that begins here has ended; the end of all if it does not end. */
const endOfText = (text: string, start: number): number => {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text[end - 1 - slashes] === "\\") slashes++
    if (slashes % 2 === 0) return end + 1
  }
  return text.length
}
