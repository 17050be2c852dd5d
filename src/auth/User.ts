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
import type * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
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

type Text<A> = Pick<Schemas.TextOptions<A>, "read" | "expected" | "why">

/** The value of a text. An error never shows the text. */
const text = <A>(form: Text<A>, description?: string, isSecret = false): Schema.Decoder<A> =>
  Schemas.value(
    Schema.String.annotate({
      ...(description && { description: `${description}: ${form.expected}` }),
      expected: form.expected,
      isSecret,
      // Without it, a number where a text should be is only said to be no string.
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
  // Several lines are several users, and this is one.
  read: (text) => (text.includes("\n") ? Option.none() : fromString(text))
}

const notBoth = Schema.makeFilter(
  (user: { readonly password?: unknown; readonly "password-hash"?: unknown }) =>
    user.password === undefined || user["password-hash"] === undefined,
  { expected: "a user with a password or with a hash of one, but not with both" }
)

/** A user, in one of the forms above; `secret` says how what is secret is written. */
const make = <R>(
  secret: <A>(text: Text<A>, description: string) => Schema.Decoder<A, R>
): Schema.Decoder<User, R> =>
  Schema.Union([
    // The field is renamed last, so that an error is about the name that was written.
    Schemas.further(
      Schema.Struct({
        name,
        groups: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
        expires: Schema.optionalKey(expires),
        networks: Schema.optionalKey(Schema.Array(network)),
        limits: Schema.optionalKey(Limits.schema),
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

/** A user as a file of users has it. */
export const schema: Schema.Decoder<User> = make((secret, description) =>
  text(secret, description, true)
).annotate({ message: "Expected NAME:PASSWORD, or an object with a name" })

/** A user as the config file has it, where a password, a hash and `NAME:PASSWORD` can each be `{ file: PATH }` instead. */
export const form: Schemas.Form<User> = make((secret) => Schemas.text({ ...secret, isSecret: true }))
