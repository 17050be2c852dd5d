/**
 * Changes of one user in the text of a users file. All else in the text stays as it is: the order, the comments, and
 * how the other users are written.
 */
import * as Effect from "effect/Effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Yaml from "yaml"
import * as JsonList from "../base/JsonList.ts"
import * as Slices from "../base/Slices.ts"
import * as Limits from "../config/Limits.ts"
import * as PasswordHash from "./PasswordHash.ts"
import type { UserChange } from "./StoredUsers.ts"
import type { User } from "./User.ts"
import { formOf } from "./UsersFile.ts"

/** A change, and the place of its user among the users of the file. */
export type Edit =
  | { readonly _tag: "add"; readonly user: User }
  | { readonly _tag: "change"; readonly index: number; readonly to: UserChange }
  | { readonly _tag: "remove"; readonly index: number }

/** The text after the change; undefined if the text is written in a way that cannot be changed here. */
export const apply = async (path: string, text: string, edit: Edit): Promise<string | undefined> => {
  const bare = text.replace(/^\uFEFF/, "")
  const mark = text.slice(0, text.length - bare.length)
  const edited = await edits[formOf(path)](bare, edit)
  return edited === undefined ? undefined : mark + edited
}

/** Whether a file of this name can have all that there is of a user: lines have only names and hashes. */
export const canHave = (path: string, { groups = [], expires, networks, limits }: User): boolean =>
  formOf(path) !== "lines" || [groups[0], expires, networks, limits].every((field) => field === undefined)

/** Lines with their ends. */
const linesOf = (text: string): Array<string> => text.match(/[^\n]*\n|[^\n]+$/g) ?? []

const endOf = (text: string): string => (/\r\n/.test(text) ? "\r\n" : "\n")

/** The text with an end of its last line, if it has a line. */
const ended = (text: string): string => (text === "" || text.endsWith("\n") ? text : text + endOf(text))

const hashOf = (hash: Redacted.Redacted<PasswordHash.PasswordHash>): string =>
  PasswordHash.format(Redacted.value(hash))

// Lines of NAME:HASH -----------------------------------------------------------

const inLines = (text: string, edit: Edit): string | undefined => {
  if (edit._tag === "add") {
    const { name, passwordHash, enabled } = edit.user
    const lock = enabled === false ? "!" : ""
    return passwordHash && `${ended(text)}${name}:${lock}${hashOf(passwordHash)}${endOf(text)}`
  }
  const place = placeOf(text, edit.index)
  if (place === undefined) return undefined
  const { line, from } = place
  const next = edit._tag === "remove" ? "" : lineOf(line, edit.to)
  return text.slice(0, from) + next + text.slice(from + line.length)
}

/** The line of a user, with its end, and where it is in the text. */
const placeOf = (text: string, index: number) => {
  let count = 0
  for (let from = 0; from < text.length; ) {
    const newline = text.indexOf("\n", from)
    const to = newline === -1 ? text.length : newline + 1
    const line = text.slice(from, to)
    const isUser = line.trim() !== "" && !line.startsWith("#")
    if (isUser && count++ === index) return { line, from }
    from = to
  }
  return undefined
}

const lineOf = (line: string, { enabled, passwordHash }: UserChange): string => {
  const [, name = "", lock = "", hash = "", end = ""] = /^([^:]*:)(!?)(\S*)(.*)$/s.exec(line) ?? []
  const locked = enabled === undefined ? lock : enabled ? "" : "!"
  return name + locked + (passwordHash ? hashOf(passwordHash) : hash) + end
}

// A list in JSON ---------------------------------------------------------------

const inJson = (text: string, edit: Edit): Promise<string | undefined> =>
  Effect.runPromise(Slices.run(jsonWith(text, edit)))

function* jsonWith(text: string, edit: Edit): Slices.Work<string | undefined> {
  const list = yield* JsonList.parse(text)
  if (!Array.isArray(list)) return undefined
  if (edit._tag === "add") list.push(written(edit.user))
  else if (edit._tag === "remove") list.splice(edit.index, 1)
  else list[edit.index] = changed(list[edit.index], edit.to)
  const [, indent] = /^\s*\[\s*\n([ \t]+)/.exec(text) ?? []
  const isOneLine = indent === undefined && text.trim() !== "[]"
  const end = text.slice(text.trimEnd().length)
  if (list.length === 0) return `[]${end}`
  const space = isOneLine ? "" : (indent ?? "  ")
  const line = isOneLine ? "" : "\n"
  const items = yield* Slices.map(list, (item) =>
    JSON.stringify(item, null, space).replaceAll("\n", `\n${space}`)
  )
  return `[${line}${space}${items.join(`,${line}${space}`)}${line}]${end}`
}

/** A user as an object of a file. */
export const written = ({
  name,
  passwordHash,
  groups = [],
  expires,
  networks,
  limits,
  enabled
}: User): Record<string, unknown> => ({
  name,
  ...(passwordHash && { "password-hash": hashOf(passwordHash) }),
  ...(groups.length > 0 && { groups }),
  ...(expires !== undefined && { expires: new Date(expires).toISOString() }),
  ...(networks && { networks: networks.map(IpNetwork.format) }),
  ...(limits && { limits: Schema.encodeSync(Limits.schema)(limits) }),
  ...(enabled === false && { enabled })
})

/** An entry of a file with the change: `NAME:PASSWORD`, or an object. */
const changed = (entry: unknown, { enabled, passwordHash }: UserChange): Record<string, unknown> => {
  const before = typeof entry === "string" ? ofText(entry) : { ...(entry as Record<string, unknown>) }
  if (passwordHash) {
    delete before.password
    before["password-hash"] = hashOf(passwordHash)
  }
  if (enabled === true) delete before.enabled
  if (enabled === false) before.enabled = false
  return before
}

const ofText = (text: string): Record<string, unknown> => {
  const colon = text.indexOf(":")
  return { name: text.slice(0, colon), password: text.slice(colon + 1) }
}

// A list in YAML ---------------------------------------------------------------

/** An item of a list in blocks: its first line, and the line behind its last one. */
interface Item {
  readonly from: number
  to: number
}

/**
 * Only the lines of one item are parsed, as the whole of a large file would take long, and would be written in the
 * parser's own style.
 */
const inYaml = async (text: string, edit: Edit): Promise<string | undefined> => {
  const lines = linesOf(text)
  const end = endOf(text)
  const found = itemsOf(lines)
  if (found === undefined) return undefined
  const { items, indent, empty } = found
  if (edit._tag === "add") {
    const item = `${indent}- ${entriesOf(written(edit.user)).join(`${end}${indent}  `)}${end}`
    if (empty !== undefined) lines.splice(empty, 1, item)
    else {
      const last = items.at(-1)!.to - 1
      const line = lines[last]!
      lines.splice(last, 1, line.endsWith("\n") ? line : line + end, item)
    }
    return lines.join("")
  }
  const item = items[edit.index]
  if (item === undefined) return undefined
  if (edit._tag === "remove") {
    lines.splice(item.from, item.to - item.from, ...(items.length === 1 ? [`${indent}[]${end}`] : []))
    return lines.join("")
  }
  const block = await inItem(lines.slice(item.from, item.to).join(""), indent, edit.to)
  if (block === undefined) return undefined
  lines.splice(item.from, item.to - item.from, block.replaceAll("\n", end))
  return lines.join("")
}

/** A JSON text is a YAML text, too. */
const entriesOf = (entry: Record<string, unknown>): ReadonlyArray<string> =>
  Object.entries(entry).map(([key, value]) => `${key}: ${JSON.stringify(value)}`)

/** The items of a list in blocks; or the line of a list that is empty. */
const itemsOf = (lines: ReadonlyArray<string>) => {
  const items: Array<Item> = []
  let indent: string | undefined
  let empty: number | undefined
  for (const [at, line] of lines.entries()) {
    const text = line.trimEnd()
    if (/^\s*(#.*)?$/.test(text) || /^(%.*|---)$/.test(text)) continue
    const [, before = "", rest = ""] = /^( *)(\S.*)$/.exec(text) ?? []
    const isItem = /^-(\s|$)/.test(rest)
    if (empty !== undefined) return undefined
    if (indent === undefined) {
      if (/^\[\s*\]$/.test(rest)) {
        empty = at
        continue
      }
      if (!isItem) return undefined
      indent = before
    }
    if (isItem && before === indent) items.push({ from: at, to: at + 1 })
    else if (before.length <= indent.length) return undefined
    // Comments between two items are of neither.
    else items.at(-1)!.to = at + 1
  }
  if (indent === undefined && empty === undefined) return undefined
  return { items, indent: indent ?? "", empty }
}

const inItem = async (block: string, indent: string, to: UserChange): Promise<string | undefined> => {
  const { parseDocument, isMap, isScalar } = await import("yaml")
  const document = parseDocument(
    block.replaceAll("\r\n", "\n").replaceAll(new RegExp(`^${indent}`, "gm"), "")
  )
  if (document.errors.length > 0) return undefined
  const node = document.getIn([0], true)
  if (isScalar(node) && typeof node.value === "string") {
    document.setIn([0], document.createNode(changed(node.value, to)))
  } else if (isMap(node)) {
    edited(document, to)
  } else return undefined
  return document.toString({ lineWidth: 0 }).replaceAll(/^(?=.)/gm, indent)
}

const edited = (document: Yaml.Document, { enabled, passwordHash }: UserChange): void => {
  if (passwordHash) {
    document.deleteIn([0, "password"])
    document.setIn([0, "password-hash"], hashOf(passwordHash))
  }
  if (enabled === true) document.deleteIn([0, "enabled"])
  if (enabled === false) document.setIn([0, "enabled"], false)
}

const edits: Readonly<
  Record<
    ReturnType<typeof formOf>,
    (text: string, edit: Edit) => string | undefined | Promise<string | undefined>
  >
> = { json: inJson, yaml: inYaml, lines: inLines }
