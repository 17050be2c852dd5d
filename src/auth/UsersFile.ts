/**
 * The users file. A file whose name ends in .yaml, .yml or .json has a list of users, as in the config file. Any other
 * file has lines of `NAME:HASH`, as htpasswd makes them; an exclamation mark before the hash disables the user, as in
 * /etc/shadow.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Issue from "effect/SchemaIssue"
import * as Slices from "../base/Slices.ts"
import * as Yaml from "../config/Yaml.ts"
import { printable } from "../wire/Text.ts"
import * as PasswordHash from "./PasswordHash.ts"
import * as User from "./User.ts"

/** An error in the file. Of the file's text it has only names of users, never a password or hash. */
interface Flaw {
  /** A line, or a user and the path in it. */
  readonly where: string
  /** The end of the sentence "… is not …". */
  readonly expected: string
}

/** A user, and the place in the file. */
type Entry = readonly [where: string, user: User.User]

type Form = "json" | "yaml" | "lines"

/** The form of a users file, by its name. */
export const formOf = (path: string): Form => {
  if (/\.json$/i.test(path)) return "json"
  return /\.ya?ml$/i.test(path) ? "yaml" : "lines"
}

/** The users of the lines that were read last, by line: a line that is there again has the same user. */
export interface Memo {
  lines: ReadonlyMap<string, User.User>
}

export const makeMemo = (): Memo => ({ lines: new Map() })

/**
 * The users in the text of a file, in the order of the file; or the first error. With a memo, lines that were read
 * before are not read again, which for very many users takes a tenth of the time.
 */
export const parse = (
  path: string,
  text: string,
  memo: Memo = makeMemo()
): Effect.Effect<ReadonlyArray<User.User>, Flaw> => {
  const bare = text.replace(/^\uFEFF/, "")
  return Effect.flatMap(entriesOf[formOf(path)](bare, memo), (entries) => inSlices(distinct(entries)))
}

/** There may be very many users. */
const inSlices = <A>(work: Slices.Work<Result.Result<A, Flaw>>): Effect.Effect<A, Flaw> =>
  Effect.flatMap(Slices.run(work), Effect.fromResult)

function* lines(text: string, memo: Memo): Slices.Work<Result.Result<ReadonlyArray<Entry>, Flaw>> {
  const users = new Map<string, User.User>()
  const read = yield* Slices.map(text.split(/\r?\n/), (line, index) => {
    if (line.trim() === "" || line.startsWith("#")) return undefined
    const where = `line ${index + 1}`
    const known = memo.lines.get(line)
    const entry = known ? Result.succeed<Entry>([where, known]) : fromLine(where, line)
    if (Result.isSuccess(entry)) users.set(line, entry.success[1])
    return entry
  })
  memo.lines = users
  return Result.all(read.filter((entry) => entry !== undefined))
}

const fromLine = (where: string, line: string): Result.Result<Entry, Flaw> => {
  const colon = line.indexOf(":")
  const name = line.slice(0, colon)
  if (colon === -1 || !User.isField(name)) {
    return Result.fail({ where, expected: "NAME:HASH, the name 1 to 255 bytes" })
  }
  const hash = line.slice(colon + 1).trimEnd()
  const isDisabled = hash.startsWith("!")
  return Result.mapBoth(PasswordHash.fromString(isDisabled ? hash.slice(1) : hash), {
    onSuccess: (hash): Entry => [
      where,
      { name, passwordHash: Redacted.make(hash), ...(isDisabled && { enabled: false }) }
    ],
    onFailure: (clause) => ({ where, expected: `NAME:HASH with a hash of scrypt or bcrypt: ${clause}` })
  })
}

// The message of a parser is not shown: it can quote a password.
const fromJson = (text: string): Effect.Effect<unknown, Flaw> =>
  Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: () => ({ where: "all of it", expected: "JSON" })
  })

const fromYaml = Effect.fnUntraced(function* (text: string): Effect.fn.Return<unknown, Flaw> {
  const plainly = yield* Slices.run(Yaml.parsePlain(text, undefined))
  if (plainly !== undefined) return plainly.value
  if (text.length > Yaml.limit) {
    return yield* Effect.fail({
      where: "all of it",
      expected: `YAML of maps, lists and texts of one line, as a file of more than ${Yaml.limit / 1024} KiB has to be`
    })
  }
  const { written, errors } = yield* Yaml.parse(text, undefined)
  return errors[0]
    ? yield* Effect.fail({ where: `line ${errors[0].line}`, expected: "YAML" })
    : written?.value
})

const listed = (list: unknown): Effect.Effect<ReadonlyArray<Entry>, Flaw> =>
  Array.isArray(list)
    ? Effect.flatMap(
        Slices.run(Slices.map(list, (entry, index) => fromEntry(`user ${index + 1}`, entry))),
        (entries) => Effect.fromResult(Result.all(entries))
      )
    : Effect.fail({ where: "all of it", expected: "a list of users" })

const entriesOf = {
  json: (text: string) => Effect.flatMap(fromJson(text), listed),
  yaml: (text: string) => Effect.flatMap(fromYaml(text), listed),
  lines: (text: string, memo: Memo) => inSlices(lines(text, memo))
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

function* distinct(
  entries: ReadonlyArray<Entry>
): Slices.Work<Result.Result<ReadonlyArray<User.User>, Flaw>> {
  const places = new Map<string, string>()
  const flaws: Array<Flaw> = []
  yield* Slices.each(entries, ([where, { name }]) => {
    const before = places.get(name)
    if (before === undefined) places.set(name, where)
    else {
      flaws.push({
        where,
        expected: `the only user of its name: ${before} has "${printable(name)}" too`
      })
    }
  })
  const [flaw] = flaws
  return flaw ? Result.fail(flaw) : Result.succeed(entries.map(([, user]) => user))
}
