/**
 * A fast reader of the YAML that nearly all config files are written in: maps and lists,
 * in blocks or in brackets, texts of one line and comments.
 *
 * The package `yaml` needs about a second for each MiB (100,000 rules are about 5 MiB), cannot stop
 * in between, and holds all nodes in memory. This reader works in steps, between which
 * sessions go on, and hands each rule over as soon as the rule is read.
 *
 * It gives up on anchors, tags and texts of several lines, and on every mistake: `Yaml` reads
 * such a file with the package, which knows where the mistake is. Whatever this reader
 * accepts has the same values at the same places as the package finds them; the properties
 * in `test/config/PlainYaml.test.ts` compare the two on thousands of generated texts.
 */

/** How scalars are read. */
export interface Scalars {
  /** The value of a text with or without quotes. Undefined if the text needs `Yaml`. */
  readonly read: (text: string, isQuoted: boolean) => { readonly value: unknown } | undefined
}

/** A value whose place in the text is wanted, and the values in it. */
export interface Wanted {
  readonly children: Map<PropertyKey, Wanted>
  /** Where the value begins; for a key without a value, where the key begins. */
  at?: number
  key?: number
  /** The range of the value: from right behind its key to what follows, or to the beginning of the line that follows. */
  from?: number
  to?: number
  /** For a list: replaces each item. */
  readonly each?: (item: unknown, index: number) => unknown
}

/** The places on these paths, and by key the lists at the top of the file whose items are replaced. */
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
 * Reads a text in steps: the generator yields after each. Of a text that is not plain
 * enough, gives about where it stopped.
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

/** Line breaks of other systems, and control characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const strange = /[\r\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff]/

/** How many characters are searched in a step. */
const chunk = 2 ** 18

const maxDepth = 50

/** About how many values are read in a step. */
const step = 200

/** A key without quotes, and what ends it. */
const bareKey = /[A-Za-z_$][\w$.-]{0,99}(?=:(?:[ \n]|$))/y

/** The beginning of a text that cannot be anything else in YAML. */
const bareStart = /(?!\.\.\.)(?:[A-Za-z0-9_./~^(+=$\u00a1-\uffff]|-[^\s,[\]{}-])/y

const newline = 10
const space = 32
const tab = 9

class Reader {
  private at = 0
  /** Where the line of `at` begins. */
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

  /** Stops at the markers of documents, `---` and `...`. */
  private refuseMarker(): void {
    if (this.at !== this.line) return
    if (this.text.startsWith("---", this.at) || this.text.startsWith("...", this.at)) throw notPlain
  }

  private get isListItem(): boolean {
    const next = this.text.charCodeAt(this.at + 1)
    return this.text[this.at] === "-" && (next === space || next === newline || Number.isNaN(next))
  }

  /** The value that begins here, with its lines at this column. Ends at the beginning of what follows. */
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
      // A value that begins in the line of the dash has its further lines at its own column.
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

  /** The value of a key, or of an item, whose own line has no value. */
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
        // A scalar below a comment is left to `Yaml`: the package does not go by its indentation alone.
        const isCommented = this.text.slice(start, this.at).includes("#")
        const value = yield* this.block(this.column, depth + 1, place)
        if (isCommented && (!isOfKey || typeof value !== "object")) throw notPlain
        return value
      }
    }
    // The place of a missing item is left to `Yaml`.
    if (place && !isOfKey) throw notPlain
    return null
  }

  /** A scalar, or a value in brackets. The further lines of brackets are indented more than `column`. */
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
    // Behind double quotes, the colon needs no space.
    if (!isQuoted && this.text.charCodeAt(this.at) !== space) throw notPlain
    this.skipInFlow(column)
    return key
  }

  /** A key, with its colon skipped. Undefined if there is none; the caller then sets `at` again. */
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

  /** A text without quotes: to the end of the line, or to a comma or bracket. */
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

  /** Whether the line has anything more than spaces and a comment. */
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

  /** Skips empty lines and comments. */
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
      // A tab may indent only where brackets are the whole document.
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
        // Values in brackets are indented more than the block around them.
        if (this.column <= column) throw notPlain
        this.refuseMarker()
        return
      }
    }
  }
}
