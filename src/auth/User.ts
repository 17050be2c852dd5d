/**
 * Users, and how the settings write a user: `alice:secret`, or in a file
 *
 *     name: alice
 *     password-hash: $scrypt$ln=15,r=8,p=3$…$…
 *     groups: [staff]
 *     expires: 2027-03-31
 *     networks: [192.0.2.0/24]
 *     limits: { sessions: 50 }
 *     enabled: false
 */
import * as Effect from "effect/Effect"
import type * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Limits from "../config/Limits.ts"
import * as Parsers from "../config/Parsers.ts"
import * as Schemas from "../config/Schemas.ts"
import * as PasswordHash from "./PasswordHash.ts"

/** A user without `password` and `passwordHash` can only log in by certificate. */
export interface User {
  readonly name: string
  readonly password?: Redacted.Redacted
  readonly passwordHash?: Redacted.Redacted<PasswordHash.PasswordHash>
  readonly groups?: ReadonlyArray<string>
  /** Milliseconds since the epoch, from which on the user may not log in. */
  readonly expires?: number
  /** The networks that the user may log in from; every network, if left out. */
  readonly networks?: ReadonlyArray<IpNetwork.IpNetwork>
  readonly limits?: Limits.Limits
  /** If false, the user may not log in. */
  readonly enabled?: boolean
}

/** A user from `NAME:PASSWORD`. The first colon ends the name; the password can have colons. */
export const fromString = (text: string): Option.Option<User> => {
  const colon = text.indexOf(":")
  const name = text.slice(0, colon)
  const password = text.slice(colon + 1)
  return colon !== -1 && isField(name) && isField(password)
    ? Option.some({ name, password: Redacted.make(password) })
    : Option.none()
}

/**
 * Whether RFC 1929 §2 can carry the text: 1 to 255 bytes of UTF-8. Refuses lone surrogates, which all become the same
 * bytes in UTF-8.
 */
export const isField = (text: string): boolean => {
  const { length } = new TextEncoder().encode(text)
  return length >= 1 && length <= 255 && !/\p{Cs}/u.test(text)
}

type Text<A> = Pick<Schemas.TextOptions<A>, "read" | "expected" | "why">

/** A schema for the value of a text. Its error names what is `expected`, and never shows the text. */
const text = <A>(form: Text<A>, description?: string, isSecret = false): Schema.Decoder<A> =>
  Schemas.value(
    Schema.String.annotate({
      ...(description && { description: `${description}: ${form.expected}` }),
      expected: form.expected,
      isSecret,
      // The message for a value that is no string, such as a number.
      message: `Expected ${form.expected}`
    }),
    form
  )

const name = text(
  {
    expected: "a text of 1 to 255 bytes without a colon",
    read: Option.liftPredicate((text) => isField(text) && !text.includes(":"))
  },
  "As the user gives it, in SOCKS5 and HTTP; or the common name of a certificate"
)

const expires = text(
  { expected: "a date such as 2027-03-31, or a time such as 2027-03-31T18:00:00Z", read: Parsers.expiry },
  "The last day, in UTC, or the moment when it is over"
)

const network = text(
  {
    expected: "a network such as 192.0.2.0/24 or 2001:db8::/32, without bits behind its prefix",
    read: Parsers.network
  },
  "A network, or an address"
)

const enabled = Schema.Boolean.annotate({
  description: "Whether the user may log in: true or false",
  expected: "true or false",
  message: "Expected true or false"
})

const password: Text<Redacted.Redacted> = {
  expected: "a text of 1 to 255 bytes, in quotes if it looks like something else",
  read: (text) => (isField(text) ? Option.some(Redacted.make(text)) : Option.none())
}

const passwordHash: Text<Redacted.Redacted<PasswordHash.PasswordHash>> = {
  expected: "a hash of scrypt or bcrypt",
  read: (text) => Option.map(Result.getSuccess(PasswordHash.fromString(text)), (hash) => Redacted.make(hash)),
  why: (text) => Option.getOrElse(Result.getFailure(PasswordHash.fromString(text)), () => "")
}

const short: Text<User> = {
  expected: "NAME:PASSWORD, each 1 to 255 bytes, the name without a colon",
  // A text of several lines is probably a list of users.
  read: (text) => (text.includes("\n") ? Option.none() : fromString(text))
}

const notBoth = Schema.makeFilter(
  (user: { readonly password?: unknown; readonly "password-hash"?: unknown }) =>
    user.password === undefined || user["password-hash"] === undefined,
  { expected: "a user with a password or with a hash of one, but not with both" }
)

/** A schema for a user, in the forms above. `secret` makes the schema for a secret text. */
const make = <R>(
  secret: <A>(text: Text<A>, description: string) => Schema.Decoder<A, R>
): Schema.Decoder<User, R> =>
  Schema.Union([
    // `password-hash` is renamed last, so that errors have the name in the file.
    Schemas.thenRead(
      Schema.Struct({
        name,
        groups: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
        expires: Schema.optionalKey(expires),
        networks: Schema.optionalKey(Schema.Array(network)),
        limits: Schema.optionalKey(Limits.schema),
        enabled: Schema.optionalKey(enabled),
        password: Schema.optionalKey(secret(password, "In plain text")),
        "password-hash": Schema.optionalKey(
          secret(passwordHash, "As effect-socks hash-password makes it, or htpasswd -B")
        )
      }).check(notBoth),
      ({ "password-hash": passwordHash, ...rest }) =>
        Effect.succeed(passwordHash ? { ...rest, passwordHash } : rest)
    ),
    secret(short, "A user")
  ])

/** A user in a users file. */
export const schema: Schema.Decoder<User> = make((secret, description) =>
  text(secret, description, true)
).annotate({ message: "Expected NAME:PASSWORD, or an object with a name" })

/** A user in the config file, where `{ file: PATH }` can stand for a password, a hash, or `NAME:PASSWORD`. */
export const form: Schemas.Form<User> = make((secret) => Schemas.text({ ...secret, isSecret: true }))
