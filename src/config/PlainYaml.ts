/**
 * The YAML that nearly all config files are written in, read fast: maps and lists,
 * in blocks or in brackets, texts of one line and comments.
 *
 * What it reads, it reads as `Yaml` does. Of everything else it says nothing at
 * all: that goes for anchors, tags and texts of several lines, and for whatever is
 * wrong, since `Yaml` knows where that is.
 */

/** A value as it is written, before anything is made of it. */
export interface Scalars {
  /** What a text is that has no quotes, or has them. Nothing if that is not for this to say. */
  readonly read: (text: string, isQuoted: boolean) => { readonly value: unknown } | undefined
}

/** A place in the value to be found in the text. */
export interface Wanted {
  readonly children: Map<PropertyKey, Wanted>
  /** Where the value begins, if it is there; or its key, for one that is left out. */
  at?: number
  key?: number
  /** From right behind its key to right before what follows, or to the beginning of the line of that. */
  from?: number
  to?: number
  /** What is put in the place of each item, if it is a list. */
  readonly each?: (item: unknown, index: number) => unknown
}

/** The places that these paths lead through, and lists right in the value of which something else is made, by key. */
export const wanted = (
  paths: ReadonlyArray<ReadonlyArray<PropertyKey>>,
  lists: Readonly<Record<string, Required<Wanted>["each"]>> = {}
): Wanted => {
  const root: Wanted = { children: new Map() }
  for (const [key, each] of Object.entries(lists)) root.children.set(key, { children: new Map(), each })
  for (const path of paths) {
    let place = root
    for (const key of path) {
      const child = place.children.get(key) ?? { children: new Map() }
      place.children.set(key, child)
      place = child
    }
  }
  return root
}

/**
 * Reads a text a piece at a time: after each step of the generator something else
 * may be done. Of a text that is not plain enough, says about where it is not.
 */
export function* parse(
  text: string,
  scalars: Scalars,
  root: Wanted = wanted([])
): Generator<void, { readonly value: unknown } | { readonly stopped: number }> {
  for (let from = 0; from < text.length; from += chunk) {
    const at = text.slice(from, from + chunk).search(strange)
    if (at !== -1) return { stopped: from + at }
    yield
  }
  const reader = new Reader(text, scalars)
  try {
    return { value: yield* reader.document(root) }
  } catch (error) {
    if (error === notPlain) return { stopped: reader.position }
    throw error
  }
}

const notPlain = new Error("this is not plain")

/** Line breaks of other systems, and what is no character. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const strange = /[\r\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff]/

/** How much is looked through in a step. */
const chunk = 2 ** 18

const maxDepth = 50

/** How many values are read in a step, about. */
const step = 200

/** A key without quotes, and what ends it. */
const bareKey = /[A-Za-z_$][\w$.-]{0,99}(?=:(?:[ \n]|$))/y

/** Nothing that means something to YAML begins so. */
const bareStart = /(?!\.\.\.)(?:[A-Za-z0-9_./~^(+=$\u00a1-\uffff]|-[^\s,[\]{}-])/y

const newline = 10
const space = 32
const tab = 9

class Reader {
  private at = 0
  /** Where the line begins that this is in. */
  private line = 0
  private count = 0
  private readonly text: string
  private readonly scalars: Scalars

  constructor(text: string, scalars: Scalars) {
    this.text = text
    this.scalars = scalars
  }

  *document(root: Wanted): Generator<void, unknown> {
    this.skipLines()
    if (this.text.startsWith("---", this.at) && this.at === this.line) {
      this.at += 3
      this.endOfLine()
      this.skipLines()
    }
    if (this.at >= this.text.length) throw notPlain
    const value = yield* this.block(this.column, 0, root)
    if (this.at < this.text.length) throw notPlain
    return value
  }

  get position(): number {
    return this.at
  }

  private get column(): number {
    return this.at - this.line
  }

  /** Where documents begin and end. */
  private refuseMarker(): void {
    if (this.at !== this.line) return
    if (this.text.startsWith("---", this.at) || this.text.startsWith("...", this.at)) throw notPlain
  }

  private get isListItem(): boolean {
    const next = this.text.charCodeAt(this.at + 1)
    return this.text[this.at] === "-" && (next === space || next === newline || Number.isNaN(next))
  }

  /** What begins here, where this is where the lines of it begin. Ends at the beginning of what follows. */
  private *block(column: number, depth: number, place: Wanted | undefined): Generator<void, unknown> {
    if (depth > maxDepth) throw notPlain
    this.refuseMarker()
    if (place) place.at = this.at
    if (this.isListItem) return yield* this.blockList(column, depth, place)
    const start = this.at
    if (this.key() !== undefined) {
      this.at = start
      return yield* this.blockMap(column, depth, place)
    }
    this.at = start
    return yield* this.inLine(column - 1, depth, place)
  }

  private *blockList(column: number, depth: number, place: Wanted | undefined): Generator<void, unknown> {
    const list: Array<unknown> = []
    while (this.at < this.text.length && this.column === column && this.isListItem) {
      this.at++
      const isInLine = this.skipSpaces()
      // Those of what begins in this line are in line with it.
      const child = place?.children.get(list.length)
      const item = isInLine
        ? yield* this.block(this.column, depth + 1, child)
        : yield* this.below(column, depth, false, child)
      list.push(place?.each === undefined ? item : place.each(item, list.length))
      if (++this.count % step === 0) yield
    }
    if (this.at < this.text.length && this.column > column) throw notPlain
    return list
  }

  private *blockMap(column: number, depth: number, place: Wanted | undefined): Generator<void, unknown> {
    const map: Record<string, unknown> = {}
    while (this.at < this.text.length && this.column === column) {
      if (this.isListItem) throw notPlain
      const start = this.at
      const key = this.key()
      if (key === undefined || Object.hasOwn(map, key)) throw notPlain
      if (this.text[this.at] !== undefined && !/[ \n]/.test(this.text[this.at]!)) throw notPlain
      const child = place?.children.get(key)
      if (child) {
        child.key = start
        child.from = this.at
      }
      map[key] = this.skipSpaces()
        ? yield* this.inLine(column, depth, child)
        : yield* this.below(column, depth, true, child)
      if (child) child.to = this.at < this.text.length ? this.line : this.text.length
      if (child && map[key] === null) child.at = start
      if (++this.count % step === 0) yield
    }
    if (this.at < this.text.length && this.column > column) throw notPlain
    return map
  }

  /** The value of a key, or of an item, that has nothing in its own line. */
  private *below(
    column: number,
    depth: number,
    isOfKey: boolean,
    place: Wanted | undefined
  ): Generator<void, unknown> {
    const start = this.at
    this.skipLines()
    if (this.at < this.text.length) {
      if (this.column > column || (isOfKey && this.column === column && this.isListItem)) {
        // With a comment in between, that is read otherwise than one would think.
        const isCommented = this.text.slice(start, this.at).includes("#")
        const value = yield* this.block(this.column, depth + 1, place)
        if (isCommented && (!isOfKey || typeof value !== "object")) throw notPlain
        return value
      }
    }
    // Where it would be, nobody needs to know.
    if (place && !isOfKey) throw notPlain
    return null
  }

  /** What ends in its line, or in brackets. Its further lines are further in than `column`. */
  private *inLine(column: number, depth: number, place: Wanted | undefined): Generator<void, unknown> {
    if (place) place.at = this.at
    const first = this.text[this.at]
    let value: unknown
    if (first === "[" || first === "{") value = yield* this.flow(column, depth, place)
    else if (first === '"' || first === "'") value = this.scalar(this.quoted(), true)
    else value = this.scalar(this.bare(false), false)
    this.endOfLine()
    this.skipLines()
    return value
  }

  private *flow(column: number, depth: number, place: Wanted | undefined): Generator<void, unknown> {
    if (depth > maxDepth) throw notPlain
    const isMap = this.text[this.at++] === "{"
    const list: Array<unknown> = []
    const map: Record<string, unknown> = {}
    const end = isMap ? "}" : "]"
    this.skipInFlow(column)
    if (this.text[this.at] === end) {
      this.at++
      return isMap ? map : list
    }
    while (true) {
      const start = this.at
      const key = isMap ? this.flowKey(column) : undefined
      const child = place?.children.get(key ?? list.length)
      if (child) {
        child.at = this.at
        if (isMap) child.key = start
        child.from = this.at
      }
      const first = this.text[this.at]
      let value: unknown
      if (first === "[" || first === "{") value = yield* this.flow(column, depth + 1, child)
      else if (first === '"' || first === "'") value = this.scalar(this.quoted(), true)
      else value = this.scalar(this.bare(true), false)
      if (child) child.to = this.at
      if (key === undefined) list.push(place?.each === undefined ? value : place.each(value, list.length))
      else if (Object.hasOwn(map, key)) throw notPlain
      else {
        map[key] = value
        if (child && value === null) child.at = start
      }
      if (++this.count % step === 0) yield
      this.skipInFlow(column)
      const next = this.text[this.at++]
      if (next === end) return isMap ? map : list
      if (next !== ",") throw notPlain
      this.skipInFlow(column)
    }
  }

  private flowKey(column: number): string {
    const isQuoted = this.text[this.at] === '"'
    const key = this.key()
    if (key === undefined) throw notPlain
    // After quotes, no space is needed.
    if (!isQuoted && this.text.charCodeAt(this.at) !== space) throw notPlain
    this.skipInFlow(column)
    return key
  }

  /** A key and its colon. Nothing if there is none; then it may be anywhere. */
  private key(): string | undefined {
    let key: string
    if (this.text[this.at] === '"' || this.text[this.at] === "'") {
      const isDouble = this.text[this.at] === '"'
      key = this.quoted()
      if (this.text[this.at] !== ":" || key.length > 100) return undefined
      const next = this.text.charCodeAt(this.at + 1)
      if (next !== space && next !== newline && !Number.isNaN(next) && !isDouble) throw notPlain
    } else {
      bareKey.lastIndex = this.at
      const found = bareKey.exec(this.text)?.[0]
      if (found === undefined) return undefined
      key = found
      this.at += key.length
    }
    if (key === "__proto__" || key.includes("${")) throw notPlain
    this.at++
    return key
  }

  private scalar(text: string, isQuoted: boolean): unknown {
    const read = this.scalars.read(text, isQuoted)
    if (read === undefined) throw notPlain
    return read.value
  }

  private quoted(): string {
    const quote = this.text[this.at]
    const start = this.at + 1
    let end = start
    if (quote === "'") {
      end = this.text.indexOf("'", start)
      while (end !== -1 && this.text[end + 1] === "'") end = this.text.indexOf("'", end + 2)
    } else {
      end = this.text.indexOf('"', start)
      while (end !== -1 && this.text[end - 1] === "\\") {
        let slashes = 1
        while (this.text[end - 1 - slashes] === "\\") slashes++
        if (slashes % 2 === 0) break
        end = this.text.indexOf('"', end + 1)
      }
    }
    if (end === -1) throw notPlain
    const inner = this.text.slice(start, end)
    if (inner.includes("\n")) throw notPlain
    this.at = end + 1
    if (quote === "'") return inner.includes("'") ? inner.replaceAll("''", "'") : inner
    if (!inner.includes("\\")) return inner
    if (!/^(?:[^\\\t]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*$/.test(inner)) throw notPlain
    return JSON.parse(`"${inner}"`)
  }

  /** A text without quotes, to the end of the line or of its place in brackets. */
  private bare(isFlow: boolean): string {
    bareStart.lastIndex = this.at
    if (!bareStart.test(this.text)) throw notPlain
    const start = this.at
    let end = start
    for (let at = start; ; at++) {
      const code = this.text.charCodeAt(at)
      if (code === newline || Number.isNaN(code)) {
        this.at = at
        break
      }
      if (code === tab) throw notPlain
      if (code === 35 /* # */ && this.text.charCodeAt(at - 1) === space) {
        this.at = at - 1
        break
      }
      if (code === 58 /* : */) {
        const next = this.text[at + 1]
        if (next === undefined || next === " " || next === "\n") throw notPlain
        if (isFlow && /[,[\]{}]/.test(next)) throw notPlain
      } else if (isFlow) {
        if (code === 44 /* , */ || code === 93 /* ] */ || code === 125 /* } */) {
          this.at = at
          break
        }
        if (code === 91 /* [ */ || code === 123 /* { */) throw notPlain
      }
      if (code !== space) end = at + 1
    }
    return this.text.slice(start, end)
  }

  /** Whether something else is in the line. */
  private skipSpaces(): boolean {
    const start = this.at
    while (this.text.charCodeAt(this.at) === space) this.at++
    const code = this.text.charCodeAt(this.at)
    if (code === tab) throw notPlain
    if (code === 35 /* # */ && this.at > start) return false
    return code !== newline && !Number.isNaN(code)
  }

  private endOfLine(): void {
    if (this.skipSpaces()) throw notPlain
  }

  /** To the first thing that is in a line after this one, or in this one if it begins here. */
  private skipLines(): void {
    while (this.at < this.text.length) {
      let at = this.at
      while (this.text.charCodeAt(at) === space) at++
      const code = this.text.charCodeAt(at)
      if (code === tab) throw notPlain
      if (code !== newline && code !== 35 && !Number.isNaN(code)) {
        this.at = at
        return
      }
      const end = this.text.indexOf("\n", at)
      this.at = end === -1 ? this.text.length : end + 1
      this.line = this.at
    }
  }

  private skipInFlow(column: number): void {
    while (true) {
      const code = this.text.charCodeAt(this.at)
      if (code === space) this.at++
      // Where it indents, one may not in a block; in brackets alone it may.
      else if (code === tab && column < 0) this.at++
      else if (code === newline) {
        this.at++
        this.line = this.at
      } else if (code === 35 /* # */) {
        if (this.text.charCodeAt(this.at - 1) !== space) throw notPlain
        const end = this.text.indexOf("\n", this.at)
        if (end === -1) throw notPlain
        this.at = end
      } else {
        // What is in brackets is further in than what it belongs to.
        if (this.column <= column) throw notPlain
        this.refuseMarker()
        return
      }
    }
  }
}
