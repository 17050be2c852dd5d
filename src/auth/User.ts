/**
 * A user, and the forms of one: `alice:secret`, or in a file
 *
 *     name: alice
 *     password-hash: $scrypt$ln=15,r=8,p=3$…$…
 *     groups: [staff]
 *     expires: 2027-03-31
 *     networks: [192.0.2.0/24]
 *     limits: { sessions: 50 }
 */
import * as Effect from "effect/Effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Transformation from "effect/SchemaTransformation"
import * as Limits from "../config/Limits.ts"
import * as Parsers from "../config/Parsers.ts"
import * as Schemas from "../config/Schemas.ts"
import * as PasswordHash from "./PasswordHash.ts"

/** Without a password and a hash, a user can only log in by certificate. */
export interface User {
  readonly name: string
  readonly password?: Redacted.Redacted
  readonly passwordHash?: Redacted.Redacted<PasswordHash.PasswordHash>
  readonly groups?: ReadonlyArray<string>
  /** The first moment at which the user may not log in, in milliseconds since the epoch. */
  readonly expires?: number
  /** The networks that the user may log in from; every network, if left out. */
  readonly networks?: ReadonlyArray<IpNetwork.IpNetwork>
  readonly limits?: Limits.Limits
}

/** `NAME:PASSWORD`; the password may have colons too. */
export const fromString = (text: string): Option.Option<User> => {
  const colon = text.indexOf(":")
  const name = text.slice(0, colon)
  const password = text.slice(colon + 1)
  return colon !== -1 && isField(name) && isField(password)
    ? Option.some({ name, password: Redacted.make(password) })
    : Option.none()
}

/** What RFC 1929 §2 can carry: 1 to 255 bytes. Not half a surrogate pair, as all of these have the same bytes in UTF-8. */
export const isField = (text: string): boolean => {
  const { length } = new TextEncoder().encode(text)
  return length >= 1 && length <= 255 && !/\p{Cs}/u.test(text)
}

/** The value of a text. An error says what is `expected`, and never shows the text. */
const written = <A>(options: {
  readonly description: string
  readonly expected: string
  readonly value: Schema.Codec<A>
  readonly read: (text: string) => Option.Option<A>
  readonly write: (value: A) => string
  /** Says more of what is expected. */
  readonly why?: (text: string) => string
  readonly isSecret?: boolean
}) => {
  const { description, expected, value, read, write, why, isSecret = false } = options
  return Schema.String.annotate({
    description: `${description}: ${expected}`,
    expected,
    isSecret,
    // Without it, a number where a text should be is only said to be no string.
    message: `Expected ${expected}`
  }).pipe(Schema.decodeTo(value, Schemas.between<A, string>({ read, write, expected, why, isSecret: true })))
}

const name = written({
  description: "As the user gives it, in SOCKS5 and HTTP; or the common name of a certificate",
  expected: "a text of 1 to 255 bytes without a colon",
  value: Schema.String,
  read: Option.liftPredicate((text) => isField(text) && !text.includes(":")),
  write: (text) => text
})

const passwordText = {
  expected: "a text of 1 to 255 bytes, in quotes if it looks like something else",
  read: (text: string) => (isField(text) ? Option.some(Redacted.make(text)) : Option.none())
}

const password = written({
  ...passwordText,
  description: "In plain text",
  value: Schema.Redacted(Schema.String),
  write: Redacted.value,
  isSecret: true
})

const hashText = {
  expected: "a hash of scrypt or bcrypt",
  read: (text: string) =>
    Option.map(Result.getSuccess(PasswordHash.fromString(text)), (hash) => Redacted.make(hash)),
  why: (text: string) => Option.getOrElse(Result.getFailure(PasswordHash.fromString(text)), () => "")
}

const passwordHash = written({
  ...hashText,
  description: "As effect-socks hash-password makes it, or htpasswd -B",
  value: Schema.Redacted(Schema.Any as Schema.Codec<PasswordHash.PasswordHash>),
  write: (hash) => PasswordHash.format(Redacted.value(hash)),
  isSecret: true
})

const expires = written({
  description: "The last day, in UTC, or the moment when it is over",
  expected: "a date such as 2027-03-31, or a time such as 2027-03-31T18:00:00Z",
  value: Schema.Number,
  read: Parsers.expiry,
  write: (millis) => new Date(millis).toISOString()
})

const network = written({
  description: "A network, or an address",
  expected: "a network such as 192.0.2.0/24 or 2001:db8::/32, without bits behind its prefix",
  value: Schema.IpNetwork,
  read: Parsers.network,
  write: IpNetwork.format
})

const fields = {
  name,
  groups: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
  expires: Schema.optionalKey(expires),
  networks: Schema.optionalKey(Schema.Array(network)),
  limits: Schema.optionalKey(Limits.schema),
  password: Schema.optionalKey(password)
}
const user = Schema.toType(Schema.Struct({ ...fields, passwordHash: Schema.optionalKey(passwordHash) }))

const notBoth = Schema.makeFilter(
  (user: { readonly password?: unknown; readonly "password-hash"?: unknown }) =>
    user.password === undefined || user["password-hash"] === undefined,
  { expected: "a user with a password or with a hash of one, but not with both" }
)

const asWritten = Schema.Struct({ ...fields, "password-hash": Schema.optionalKey(passwordHash) }).check(
  notBoth
)

/** The field is renamed last, so that a flaw is told of under the name that was written. */
const described = asWritten.pipe(
  Schema.decodeTo(
    user,
    Transformation.transform<typeof user.Type, typeof asWritten.Type>({
      decode: ({ "password-hash": passwordHash, ...rest }) =>
        passwordHash ? { ...rest, passwordHash } : rest,
      encode: ({ passwordHash, ...rest }) =>
        passwordHash ? { ...rest, "password-hash": passwordHash } : rest
    })
  )
)

const expected = "NAME:PASSWORD, each 1 to 255 bytes, the name without a colon"

const short = written({
  description: "A user",
  expected,
  value: user,
  read: fromString,
  write: ({ name, password }) => `${name}:${password === undefined ? "" : Redacted.value(password)}`,
  isSecret: true
})

/** A user as a file has them: one of the forms above. */
export const schema = Schema.Union([described, short]).annotate({
  message: "Expected NAME:PASSWORD, or an object with a name"
}) satisfies Schema.Codec<User, unknown>

/** The same in the config file, where a password, a hash and `NAME:PASSWORD` can each be `{ file: PATH }` instead. */
export const form: Schemas.Form<User> = Schema.Union([
  Schemas.further(
    Schema.Struct({
      ...fields,
      password: Schema.optionalKey(Schemas.text({ ...passwordText, isSecret: true })),
      "password-hash": Schema.optionalKey(Schemas.text({ ...hashText, isSecret: true }))
    }).check(notBoth),
    ({ "password-hash": passwordHash, ...rest }) =>
      Effect.succeed(passwordHash ? { ...rest, passwordHash } : rest)
  ),
  Schemas.text<User>({
    // Several lines are several users, and this is one.
    read: (text) => (text.includes("\n") ? Option.none() : fromString(text)),
    expected,
    isSecret: true
  })
])
