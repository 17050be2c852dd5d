/**
 * Parses YAML 1.2, and thus JSON, into values with their places in the text.
 *
 * A plain scalar is a number or a boolean only where text and value are the same
 * to the letter, so that `0600` and `1e3` stay what was written. `${NAME}` is
 * replaced by an environment variable after the text was taken apart, so that no
 * variable can add more than a value.
 */
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Yaml from "yaml"
import type * as Slices from "../base/Slices.ts"
import * as PlainYaml from "./PlainYaml.ts"
import { substitute } from "./Variables.ts"

/** A line and a column, both from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** What is wrong with a text, and where. */
interface ParseError extends Position {
  readonly reason: string
}

/** A value and its place in the text. */
export interface Written {
  /** Made of plain objects, arrays, texts, numbers, booleans and null. */
  readonly value: unknown
  readonly at: Position
  /** Where its key is, if it has one. */
  readonly key?: Position
  readonly children: ReadonlyMap<PropertyKey, Written>
  /** For a list whose items are replaced: the text with an empty list instead, and all else at its line. */
  readonly without?: string
  /** The number of values in it, those of an alias counted each time. */
  readonly size: number
}

/** Looks up environment variables. If undefined, `${NAME}` is not replaced. */
type Variable = ((name: string) => Option.Option<string>) | undefined

/** The deepest nesting of values: the parser and the readers of its values are recursive. */
const maxDepth = 100

/** The most values that all aliases together may stand for. */
const maxAliased = 100_000

/**
 * The longest text, in characters, that the package reads. It takes about half a second, in which no session goes on.
 */
export const limit = 512 * 1024

/**
 * The values of a text, or all its mistakes. No mistake shows a value.
 */
export const parse = Effect.fnUntraced(function* (
  text: string,
  variable: Variable
): Effect.fn.Return<{ readonly written: Written | undefined; readonly errors: ReadonlyArray<ParseError> }> {
  if (lineDepth.test(text)) return { written: undefined, errors: [tooDeep] }
  const yaml = yield* Effect.promise(() => import("yaml"))
  const lines = new yaml.LineCounter()
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  const tokens = Array.from(new yaml.Parser(lines.addNewLine).parse(text))
  if (tokens.some(isTooDeep)) return { written: undefined, errors: [tooDeep] }
  // Every scalar is read as a text, and its meaning is decided here.
  const options = { schema: "failsafe", uniqueKeys: false } as const
  const [document, second] = new yaml.Composer(options).compose(tokens, true, text.length)
  if (document === undefined) return { written: undefined, errors: [] }
  const reportedLines = new Set<number>()
  const errors = [...document.errors, ...document.warnings]
    .map(({ code, message, pos: [offset] }) => ({
      ...position(offset),
      reason: (sentences[code] ?? message.charAt(0).toLowerCase() + message.slice(1)) + hint(text, offset)
    }))
    // What follows in a line often follows from the first.
    .filter(({ line }) => !reportedLines.has(line) && reportedLines.add(line))
  if (second)
    errors.push({
      ...position(second.range[0]),
      reason: "a second document begins, and a config file is one"
    })
  if (errors.length > 0) return { written: undefined, errors }
  return reading(yaml, position, variable)(document.contents)
})

/**
 * The value of a text that `PlainYaml` can read, in pieces; and the places of the values on these paths, as far as
 * they exist. Undefined for other texts, and for every mistake.
 */
export const parsePlain = (
  text: string,
  variable: Variable,
  paths: ReadonlyArray<ReadonlyArray<PropertyKey>> = [],
  lists: Lists = {}
): Slices.Work<Written | undefined> =>
  readPlainly(text.replaceAll("\r\n", "\n"), variable, PlainYaml.wanted(paths, lists))

/** Lists at the top of a text by their key, with a function that replaces each item, which is then not kept. */
type Lists = Readonly<Record<string, (item: unknown, index: number) => unknown>>

/** Where `plainly` gives up on a text, with these paths. */
export function* whereNotPlain(
  text: string,
  variable: Variable,
  paths: ReadonlyArray<ReadonlyArray<PropertyKey>> = []
): Slices.Work<Position> {
  const lines = text.replaceAll("\r\n", "\n")
  const parsed = yield* PlainYaml.parse(lines, scalars(variable), PlainYaml.wanted(paths))
  return positions(lines)("stopped" in parsed ? parsed.stopped : 0)
}

const scalars = (variable: Variable): PlainYaml.Scalars => ({
  read: (text, isQuoted) => {
    if (variable === undefined || !text.includes("${")) return { value: isQuoted ? text : plain(text) }
    const replaced = substitute(text, variable)
    if (replaced.errors.length > 0) return undefined
    return { value: isQuoted ? replaced.text : numberOrBoolean(replaced.text) }
  }
})

/** Line and column of an offset, by binary search in the lines up to the last offset that was asked for. */
const positions = (text: string) => {
  const starts = [0]
  let next = text.indexOf("\n")
  return (offset: number): Position => {
    for (; next !== -1 && next < offset; next = text.indexOf("\n", next + 1)) starts.push(next + 1)
    let low = 0
    for (let high = starts.length; high - low > 1; ) {
      const middle = (low + high) >>> 1
      if (starts[middle]! <= offset) low = middle
      else high = middle
    }
    return { line: low + 1, column: offset - starts[low]! + 1 }
  }
}

function* readPlainly(
  text: string,
  variable: Variable,
  wanted: PlainYaml.Wanted
): Slices.Work<Written | undefined> {
  const parsed = yield* PlainYaml.parse(text, scalars(variable), wanted)
  if ("stopped" in parsed) return undefined
  const positionOf = positions(text)
  const written = (value: unknown, place: PlainYaml.Wanted): Written => {
    const children = new Map<PropertyKey, Written>()
    for (const [key, child] of place.children) {
      if (child.at === undefined) continue
      children.set(key, written((value as Record<PropertyKey, unknown>)[key], child))
    }
    return {
      value,
      at: positionOf(place.at ?? 0),
      ...(place.key !== undefined && { key: positionOf(place.key) }),
      ...(place.each && Array.isArray(value) && { without: without(text, place.from!, place.to!) }),
      children,
      size: 1
    }
  }
  return written(parsed.value, wanted)
}

const without = (text: string, from: number, to: number): string => {
  let lines = 0
  for (let at = text.indexOf("\n", from); at !== -1 && at < to; at = text.indexOf("\n", at + 1)) lines++
  return `${text.slice(0, from)} []${"\n".repeat(lines)}${text.slice(to)}`
}

/** A line that begins with more nested lists than the parser should follow. */
const lineDepth = /^[ \t]*(?:[-?][ \t]+){100}/m

const tooDeep: ParseError = {
  line: 1,
  column: 1,
  reason: `values lie in one another more than ${maxDepth} deep`
}

/** Not recursive, unlike the parser, which would overflow the stack. */
const isTooDeep = (token: Yaml.CST.Token): boolean => {
  let level: ReadonlyArray<Yaml.CST.Token> = [token]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) return true
    level = level.flatMap((token) => {
      if (token.type === "document") return token.value ? [token.value] : []
      if (!("items" in token)) return []
      return token.items.flatMap((item) => [item.key ?? [], item.value ?? []].flat())
    })
  }
  return false
}

/** Messages instead of the parser's own, where those would quote the text or help little. */
const sentences: Readonly<Record<string, string>> = {
  BAD_DIRECTIVE: "a line that begins with % is a directive, which means nothing here",
  BAD_DQ_ESCAPE: "this is no escape of double-quoted text; in single quotes a backslash is only that",
  BAD_SCALAR_START: "a text that begins with this character has to be put in quotes",
  BLOCK_AS_IMPLICIT_KEY:
    "this is a map in the middle of a line; put a text with a colon and a space in it in quotes",
  RESOURCE_EXHAUSTION: tooDeep.reason,
  TAB_AS_INDENT: "tabs cannot indent, only spaces",
  TAG_RESOLVE_FAILED: "tags such as !include mean nothing here",
  UNEXPECTED_TOKEN: "this does not belong here"
}

/** A hint about `${NAME}` in brackets, where YAML reads the braces as a map. */
const hint = (text: string, offset: number): string => {
  const line = text.slice(text.lastIndexOf("\n", offset - 1) + 1).split("\n", 1)[0]
  return /[[{].*\$\{/.test(line ?? "") ? `; between [ ] and { }, \${NAME} has to be in quotes` : ""
}

/** Makes values of nodes, with their places. */
const reading = (yaml: typeof Yaml, position: (offset: number) => Position, variable: Variable) => {
  const errors: Array<ParseError> = []
  const anchors = new Map<string, Written>()
  let aliased = 0

  const offsetOf = (node: unknown): number => (yaml.isNode(node) ? (node.range?.[0] ?? 0) : 0)
  const report = (offset: number, reason: string) => errors.push({ ...position(offset), reason })

  const read = (node: unknown): Written => {
    if (yaml.isAlias(node)) return alias(node)
    const written = yaml.isMap(node) ? map(node) : yaml.isSeq(node) ? list(node) : scalar(node)
    if (yaml.isNode(node) && "anchor" in node && node.anchor) anchors.set(node.anchor, written)
    return written
  }

  const alias = (node: Yaml.Alias): Written => {
    const at = position(offsetOf(node))
    const written = anchors.get(node.source)
    aliased += written?.size ?? 0
    if (written && aliased <= maxAliased) return { ...written, at }
    report(
      offsetOf(node),
      written ? `aliases stand for more than ${maxAliased} values` : "no such anchor before this alias"
    )
    return { value: "", at, children: new Map(), size: 1 }
  }

  const scalar = (node: unknown): Written => {
    const leaf = { at: position(offsetOf(node)), children: new Map(), size: 1 }
    if (!yaml.isScalar(node)) return { ...leaf, value: null }
    const text = typeof node.value === "string" ? node.value : ""
    const isPlain = node.type === "PLAIN" && node.tag === undefined
    if (variable === undefined || !text.includes("${"))
      return { ...leaf, value: isPlain ? plain(text) : text }
    const replaced = substitute(text, variable)
    for (const reason of replaced.errors) report(offsetOf(node), reason)
    return { ...leaf, value: isPlain ? numberOrBoolean(replaced.text) : replaced.text }
  }

  const list = (node: Yaml.YAMLSeq): Written => {
    const items = node.items.map(read)
    return collected(
      node,
      items.map(({ value }) => value),
      new Map(items.entries())
    )
  }

  const map = (node: Yaml.YAMLMap): Written => {
    const children = new Map<string, Written>()
    const merged: Array<Written> = []
    for (const { key, value } of node.items) {
      const written = read(value)
      const at = position(offsetOf(key))
      if (!yaml.isScalar(key) || typeof key.value !== "string") {
        report(offsetOf(key ?? node), "a key has to be a text")
      } else if (key.value === "<<" && key.type === "PLAIN") {
        merged.push(...(Array.isArray(written.value) ? written.children.values() : [written]))
      } else if (children.has(key.value)) {
        report(offsetOf(key), `this key is here twice, first in line ${children.get(key.value)?.key?.line}`)
      } else {
        // A key without a value: errors about the value point to the key.
        children.set(key.value, { ...written, key: at, ...(written.value === null && { at }) })
      }
    }
    // The map's own keys win over merged ones.
    for (const from of merged) {
      if (typeof from.value !== "object" || from.value === null || Array.isArray(from.value)) {
        report(offsetOf(node), "<< takes a map, or a list of maps")
      }
      for (const [key, child] of from.children) {
        if (typeof key === "string" && !children.has(key)) children.set(key, child)
      }
    }
    const values = Array.from(children, ([key, { value }]) => [key, value])
    return collected(node, Object.fromEntries(values), children)
  }

  const collected = (
    node: Yaml.Node,
    value: unknown,
    children: ReadonlyMap<PropertyKey, Written>
  ): Written => {
    let size = 1
    for (const child of children.values()) size += child.size
    return { value, at: position(offsetOf(node)), children, size }
  }

  return (contents: unknown) => ({ written: contents === null ? undefined : read(contents), errors })
}

const plain = (text: string): unknown => (/^(?:|~|null|Null|NULL)$/.test(text) ? null : numberOrBoolean(text))

const numberOrBoolean = (text: string): unknown => {
  if (text === "true" || text === "false") return text === "true"
  return text !== "" && Number.isFinite(Number(text)) && String(Number(text)) === text ? Number(text) : text
}
