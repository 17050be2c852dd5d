/**
 * A file of users: lines of `NAME:HASH`, as htpasswd makes them; or in a file
 * whose name ends in .yaml, .yml or .json, a list of users as a configuration
 * has them.
 */
import * as Yaml from "effect/encoding/Yaml"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Issue from "effect/SchemaIssue"
import { printable } from "../wire/Text.ts"
import * as PasswordHash from "./PasswordHash.ts"
import * as User from "./User.ts"

/** What cannot be used: `where` it is, and what it is not. No text of the file but names. */
interface Flaw {
  readonly where: string
  /** Completes the sentence "… is not …". */
  readonly expected: string
}

/** A user, and where the file has them. */
type Entry = readonly [where: string, user: User.User]

/** The users of a file's text, in its order; or the first flaw. */
export const parse = (path: string, text: string): Result.Result<ReadonlyArray<User.User>, Flaw> =>
  Result.flatMap(/\.(ya?ml|json)$/i.test(path) ? listed(path, text) : lines(text), distinct)

const lines = (text: string): Result.Result<ReadonlyArray<Entry>, Flaw> =>
  Result.all(
    text
      .replace(/^\uFEFF/, "")
      .split(/\r?\n/)
      .map((line, index) => [`line ${index + 1}`, line] as const)
      .filter(([, line]) => line.trim() !== "" && !line.startsWith("#"))
      .map(([where, line]) => Result.map(fromLine(where, line), (user) => [where, user] as const))
  )

const fromLine = (where: string, line: string): Result.Result<User.User, Flaw> => {
  const colon = line.indexOf(":")
  const name = line.slice(0, colon)
  if (colon === -1 || !User.isField(name)) {
    return Result.fail({ where, expected: "NAME:HASH, the name 1 to 255 bytes" })
  }
  return Result.mapBoth(PasswordHash.fromString(line.slice(colon + 1).trimEnd()), {
    onSuccess: (hash) => ({ name, passwordHash: Redacted.make(hash) }),
    onFailure: (clause) => ({ where, expected: `NAME:HASH with a hash of scrypt or bcrypt: ${clause}` })
  })
}

const listed = (path: string, text: string): Result.Result<ReadonlyArray<Entry>, Flaw> => {
  const isJson = /json$/i.test(path)
  const read = Result.try({
    try: (): unknown => (isJson ? JSON.parse(text.replace(/^\uFEFF/, "")) : Yaml.parse(text)),
    // What parsers say may have a password in it.
    catch: (error): Flaw => {
      // Only some versions of Node say where JSON ends to be JSON.
      const line = isJson ? undefined : /\bline (\d+)/.exec(String(error))?.[1]
      return { where: line ? `line ${line}` : "all of it", expected: isJson ? "JSON" : "YAML" }
    }
  })
  return Result.flatMap(read, (list) =>
    Array.isArray(list)
      ? Result.all(list.map((entry, index) => fromEntry(`user ${index + 1}`, entry)))
      : Result.fail({ where: "all of it", expected: "a list of users" })
  )
}

const fromEntry = (where: string, entry: unknown): Result.Result<Entry, Flaw> =>
  Result.mapBoth(decode(entry), {
    onSuccess: (user) => [where, user] as const,
    onFailure: ({ issue }) => {
      const [{ path = [], message } = { message: "a user" }] = problems(issue).issues
      return {
        where: [where, ...path].map((part) => printable(String(part))).join(", "),
        expected: message.replace(/^Expected /, "")
      }
    }
  })

const decode = Schema.decodeUnknownResult(User.schema, { onExcessProperty: "error" })

const problems = Issue.makeFormatterStandardSchemaV1({
  leafHook: (issue) => {
    if (issue._tag === "UnexpectedKey") return "a setting of a user"
    return issue._tag === "MissingKey" ? "there" : Issue.defaultLeafHook(issue)
  }
})

const distinct = (entries: ReadonlyArray<Entry>): Result.Result<ReadonlyArray<User.User>, Flaw> => {
  const places = new Map<string, string>()
  for (const [where, { name }] of entries) {
    const before = places.get(name)
    if (before !== undefined) {
      return Result.fail({
        where,
        expected: `the only user of its name: ${before} has "${printable(name)}" too`
      })
    }
    places.set(name, where)
  }
  return Result.succeed(entries.map(([, user]) => user))
}
