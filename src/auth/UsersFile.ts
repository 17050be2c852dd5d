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
import * as JsonList from "../base/JsonList.ts"
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

/** A user, and the number of the line or of the item in the list. */
type Entry = readonly [at: number, user: User.User]

type Form = "json" | "yaml" | "lines"

/** The form of a users file, by its name. */
export const formOf = (path: string): Form => {
  if (/\.json$/i.test(path)) return "json"
  return /\.ya?ml$/i.test(path) ? "yaml" : "lines"
}

/**
 * What was read last: the same text has the same users, and a line that is there again the same user. The store and the
 * source of users of a process share it, so that a change is read once, and each user is kept once.
 */
export interface Memo {
  lines: ReadonlyMap<string, User.User>
  last: { readonly form: Form; readonly text: string; readonly users: ReadonlyArray<User.User> } | undefined
}

export const makeMemo = (): Memo => ({ lines: new Map(), last: undefined })

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
  const form = formOf(path)
  return Effect.suspend(() => {
    const { last } = memo
    if (last?.form === form && last.text === bare) return Effect.succeed(last.users)
    const unit = form === "lines" ? "line" : "user"
    return Effect.flatMap(entriesOf[form](bare, memo), (entries) => inSlices(distinct(entries, unit))).pipe(
      Effect.tap((users) =>
        Effect.sync(() => {
          memo.last = { form, text: bare, users }
        })
      )
    )
  })
}

/** There may be very many users. */
const inSlices = <A>(work: Slices.Work<Result.Result<A, Flaw>>): Effect.Effect<A, Flaw> =>
  Effect.flatMap(Slices.run(work), Effect.fromResult)

function* lines(text: string, memo: Memo): Slices.Work<Result.Result<ReadonlyArray<Entry>, Flaw>> {
  const users = new Map<string, User.User>()
  const entries: Array<Entry> = []
  let flaw: Result.Result<never, Flaw> | undefined
  for (let start = 0, number = 1; start <= text.length; number++) {
    const newline = text.indexOf("\n", start)
    const end = newline === -1 ? text.length : newline
    const line = text.slice(start, text[end - 1] === "\r" ? end - 1 : end)
    start = end + 1
    if ((number & 255) === 0) yield
    if (line.trim() === "" || line.startsWith("#")) continue
    const known = memo.lines.get(line)
    const read = known ? Result.succeed(known) : fromLine(line)
    if (Result.isSuccess(read)) {
      users.set(line, read.success)
      entries.push([number, read.success])
    } else flaw ??= Result.fail({ where: `line ${number}`, expected: read.failure })
  }
  memo.lines = users
  return flaw ?? Result.succeed(entries)
}

const fromLine = (line: string): Result.Result<User.User, Flaw["expected"]> => {
  const colon = line.indexOf(":")
  const name = line.slice(0, colon)
  if (colon === -1 || !User.isField(name)) {
    return Result.fail("NAME:HASH, the name 1 to 255 bytes")
  }
  const hash = line.slice(colon + 1).trimEnd()
  const isDisabled = hash.startsWith("!")
  return Result.mapBoth(PasswordHash.fromString(isDisabled ? hash.slice(1) : hash), {
    onSuccess: (hash): User.User => ({
      ...{ name, passwordHash: Redacted.make(hash) },
      ...(isDisabled && { enabled: false })
    }),
    onFailure: (clause) => `NAME:HASH with a hash of scrypt or bcrypt: ${clause}`
  })
}

// The message of a parser is not shown: it can quote a password.
const fromJson = (text: string): Effect.Effect<unknown, Flaw> =>
  // What the parser throws is a defect of the work.
  Effect.catchDefect(Slices.run(JsonList.parse(text)), () =>
    Effect.fail({ where: "all of it", expected: "JSON" })
  )

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
    ? Effect.flatMap(Slices.run(Slices.map(list, (entry, index) => fromEntry(index + 1, entry))), (entries) =>
        Effect.fromResult(Result.all(entries))
      )
    : Effect.fail({ where: "all of it", expected: "a list of users" })

const entriesOf = {
  json: (text: string) => Effect.flatMap(fromJson(text), listed),
  yaml: (text: string) => Effect.flatMap(fromYaml(text), listed),
  lines: (text: string, memo: Memo) => inSlices(lines(text, memo))
}

const fromEntry = (at: number, entry: unknown): Result.Result<Entry, Flaw> =>
  Result.mapBoth(decode(entry), {
    onSuccess: (user) => [at, user] as const,
    onFailure: ({ issue }) => {
      const [{ path = [], message } = { message: "a user" }] = problems(issue).issues
      return {
        where: [`user ${at}`, ...path].map((part) => printable(String(part))).join(", "),
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
  entries: ReadonlyArray<Entry>,
  unit: "line" | "user"
): Slices.Work<Result.Result<ReadonlyArray<User.User>, Flaw>> {
  const names = new Set<string>()
  const twice = yield* Slices.find(entries, ([, { name }]) => names.size === names.add(name).size)
  if (twice === undefined) return Result.succeed(yield* Slices.map(entries, ([, user]) => user))
  const [at, { name }] = twice
  const [before] = entries.find(([, other]) => other.name === name)!
  const expected = `the only user of its name: ${unit} ${before} has "${printable(name)}" too`
  return Result.fail({ where: `${unit} ${at}`, expected })
}
