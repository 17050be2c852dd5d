/**
 * The settings of logins.
 */
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Parsers from "../config/Parsers.ts"
import * as Schemas from "../config/Schemas.ts"
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"
import * as User from "./User.ts"
import * as UserParameters from "./UserParameters.ts"

export class AuthSettings extends Section.make<AuthSettings>()("effect-socks/auth/Settings", {
  user: Setting.many<User.User>({
    description:
      "User who may log in, with this password. With at least one user, every client must give a password",
    metavar: "NAME:PASSWORD",
    read: User.fromString,
    expected: "NAME:PASSWORD, each 1 to 255 bytes, the name without a colon",
    default: [],
    defaultText: "nobody, and no password is asked",
    separator: /\n+/,
    isSecret: true
  }),
  users: Setting.structured({
    description:
      "More users: NAME:PASSWORD, or name, password or password-hash, groups, expires, networks and limits",
    form: Schemas.list(User.form, { canBeEmpty: true }),
    default: [] as ReadonlyArray<User.User>,
    defaultText: "none"
  }),
  usersFile: Setting.file(
    "File with more users, read again when it changes. It has lines of NAME:HASH, as htpasswd -B (bcrypt) or " +
      "hash-password (scrypt) make them, or in .yaml or .json a list of users"
  ),
  authUrl: Setting.single<string | undefined>({
    description:
      "HTTP service that decides about users who are not listed: it gets POST {user, password, client} " +
      "as JSON, and answers 200 {groups, limits, ttl} or 401",
    metavar: "URL",
    read: Parsers.serviceUrl,
    expected:
      "a URL of https:, or of http: on this machine, without a user or a password in it, which --auth-token is " +
      "for; insecure: before it sends passwords over http: anywhere",
    default: undefined,
    defaultText: "none",
    // A URL can hold a key, or a password, for which it is refused.
    isSecret: true
  }),
  authToken: Setting.single<Redacted.Redacted | undefined>({
    description: "Bearer token for the service of --auth-url",
    metavar: "TOKEN",
    read: (text) => (/^[\w.~+/-]+=*$/.test(text) ? Option.some(Redacted.make(text)) : Option.none()),
    expected: "a bearer token (RFC 6750): letters, digits and - . _ ~ + /",
    default: undefined,
    defaultText: "none",
    isSecret: true
  }),
  userParameters: Setting.many<UserParameters.UserParameter>({
    description:
      "Parameter that user names may have behind them, as in alice-session-42, which logs in as alice. It is NAME, " +
      "NAME:A|B for one of these words, NAME:number, or NAME:ttl for a duration such as 10m, after which routes " +
      "choose anew. Routes can go by it, and the log has it",
    metavar: "PARAMETER",
    read: UserParameters.fromString,
    expected: UserParameters.expected,
    default: [],
    defaultText: "none",
    separator: /[\s,]+/
  }),
  trust: Setting.networks(
    "Network whose clients need no password; they may still give one. With this and no users, clients " +
      "from elsewhere are refused"
  )
}) {}
