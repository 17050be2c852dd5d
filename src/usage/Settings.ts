/**
 * The settings of recorded usage: the store, and how long it keeps a day.
 */
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Parsers from "../config/Parsers.ts"
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"
import * as PostgresUrl from "./PostgresUrl.ts"

/** The store: `auto`, `off`, the path of an SQLite file, or a PostgreSQL database, whose URL may have a password. */
export type StoreSetting =
  | { readonly _tag: "auto" | "off" }
  | { readonly _tag: "sqlite"; readonly path: string }
  | { readonly _tag: "postgresql"; readonly url: Redacted.Redacted }

export class UsageSettings extends Section.makeStartOnly<UsageSettings>()("effect-socks/usage/Settings", {
  usageStore: Setting.single<StoreSetting>({
    description:
      "Store of usage: bytes, sessions and time of each user and day, of which quotas are taken, too. It is an SQLite " +
      "FILE or a PostgreSQL database; auto is usage.db in --state-dir, and off without one; off records nothing",
    metavar: "FILE|URL",
    read: (text) => readStore(text),
    expected:
      "auto, off, the path of a file, or postgresql://USER:PASSWORD@HOST/DATABASE, with ?sslmode=disable, require or " +
      "verify-full",
    default: { _tag: "auto" },
    defaultText: "auto",
    json: { type: "string", minLength: 1 },
    completion: "file",
    // A URL can hold a password.
    isSecret: true
  }),
  usageRollup: Setting.duration({
    description:
      "Time for which usage is kept by day. A month that is older is summed up: reports have it as a whole only. " +
      "Days that a quota still counts are kept",
    default: "off",
    canBeOff: true
  }),
  usageRetention: Setting.duration({
    description:
      "Time for which recorded days and months are kept. Those that a quota still counts are kept longer",
    default: "400d",
    canBeOff: true
  })
}) {}

const readStore = (text: string): Option.Option<StoreSetting> => {
  if (text === "auto" || text === "off") return Option.some({ _tag: text })
  if (/^postgres(ql)?:/.test(text)) {
    return Option.map(PostgresUrl.parse(text), () => ({ _tag: "postgresql", url: Redacted.make(text) }))
  }
  // Another kind of database is no file.
  if (/^\w{2,}:/.test(text)) return Option.none()
  return Option.map(Parsers.path(text), (path) => ({ _tag: "sqlite", path }))
}
