/**
 * Health checks that one server makes for several: the others go by its results, as long as they come.
 */
import * as Context from "effect/Context"
import * as LruMap from "../base/LruMap.ts"

/** Why a check failed: the tag and the message of the error. */
export interface CheckFailure {
  readonly outcome: string
  readonly reason: string
}

/** What a check has found. */
export interface CheckResult {
  /** Names the check, in the same way on every server with the same settings: a keyed hash. */
  readonly check: string
  /** Undefined if the member works. */
  readonly failure?: CheckFailure | undefined
}

/** A message from the server that checks. */
export interface Checked {
  readonly _tag: "checked"
  /** With the milliseconds since each check, 0 by default. */
  readonly results: ReadonlyArray<CheckResult & { readonly age?: number | undefined }>
}

/** A message to a server: whether it makes the checks of all. */
export interface Checker {
  readonly _tag: "checker"
  readonly isChecker: boolean
}

export interface CheckSharing {
  /** The name of a check that is described so. */
  readonly nameOf: (description: string) => string
  /** Whether this server has to make a check that is due each `every` milliseconds: no result of another server has come. */
  readonly isDue: (check: string, every: number) => boolean
  /** The last result of another server; undefined where that is older than `patience` times `every` milliseconds. */
  readonly latest: (check: string, every: number) => CheckResult | undefined
  /** Tells the others what a check of this server has found. */
  readonly tell: (result: CheckResult) => void
  /** Gives the results of others to `take`, until the returned function is called. */
  readonly follow: (check: string, take: (result: CheckResult) => void) => () => void
}

/** By default a server makes all checks itself, and tells nobody. */
export const CurrentCheckSharing = Context.Reference<CheckSharing | undefined>(
  "effect-socks/routes/CheckSharing",
  { defaultValue: () => undefined }
)

/** The intervals of a check without a result of another server, after which a server checks itself. */
export const patience = 3

/** The most checks whose results are remembered. */
const most = 4096

export interface SharedChecks extends CheckSharing {
  readonly receive: (news: Checked | Checker) => void
}

interface Options {
  readonly nameOf: (description: string) => string
  /** Sends what this server has found, if it checks for all. */
  readonly report: (checked: Checked) => void
  /** Milliseconds of a clock that nobody sets. */
  readonly now: () => number
}

/** The checks of a server among several. */
export const make = ({ nameOf, report, now }: Options): SharedChecks => {
  let isChecker = false
  const results = LruMap.make<string, { readonly result: CheckResult; readonly at: number }>(most)
  const followers = new Map<string, Set<(result: CheckResult) => void>>()

  const latest = (check: string, every: number): CheckResult | undefined => {
    const found = results.get(check)
    return found !== undefined && now() - found.at < patience * every ? found.result : undefined
  }

  return {
    nameOf,
    latest,
    isDue: (check, every) => isChecker || latest(check, every) === undefined,
    tell: (result) => {
      if (isChecker) report({ _tag: "checked", results: [result] })
    },
    follow: (check, take) => {
      const all = followers.get(check) ?? new Set()
      followers.set(check, all.add(take))
      return () => {
        all.delete(take)
        if (all.size === 0 && followers.get(check) === all) followers.delete(check)
      }
    },
    receive: (news) => {
      if (news._tag === "checker") {
        isChecker = news.isChecker
        return
      }
      for (const { age = 0, ...result } of news.results) {
        results.set(result.check, { result, at: now() - age })
        for (const take of followers.get(result.check) ?? []) take(result)
      }
    }
  }
}
