/**
 * A cache of answers of name servers, for each name and address family, as long as the TTL allows. Concurrent look-ups
 * of the same name and family share one query.
 *
 * The cache holds no decisions: the policy judges addresses from the cache like any other.
 */
import type { RecordWithTtl } from "node:dns"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as AnswerCache from "../base/AnswerCache.ts"
import { ResolutionFailed, ResolutionTimeout } from "../Errors.ts"

/** The present name servers. `key` differs when the name servers differ. */
export interface Servers {
  readonly key: string
  readonly queries: Queries
}

/** Asks for the addresses of a name. Rejects with an error that has a code of c-ares, such as ENOTFOUND. */
export interface Queries {
  readonly resolve4: Ask
  readonly resolve6: Ask
}

type Ask = (name: string, options: { readonly ttl: true }) => Promise<ReadonlyArray<RecordWithTtl>>

type Failure = ResolutionFailed | ResolutionTimeout

export interface DnsCache {
  /** The addresses of one family that a name has. Empty if the name does not exist, or has none of that family. */
  readonly lookup: (
    servers: Servers,
    name: Host.DomainName,
    version: 4 | 6
  ) => Effect.Effect<ReadonlyArray<NetAddress.IpAddress>, Failure>
}

/** The most answers in the cache: two for each name. */
const limit = 8192

/** The most addresses of an answer that are kept: more than a session tries, fewer than a message can hold. */
const mostAddresses = 32

/** The most look-ups that continue without a waiting session, such as those of the slower family. */
const mostUnawaited = 256

/** The most milliseconds for which an answer is kept, whatever its TTL. */
const longest = 3_600_000

/** Milliseconds for which a negative answer is kept: c-ares does not report the SOA's TTL (RFC 2308 §5). */
const missingFor = 10_000

/** Milliseconds for which a failure is kept (RFC 9520 §3.2: at least a second). */
const failedFor = 1_000

type Outcome = Result.Result<ReadonlyArray<NetAddress.IpAddress>, Failure>

/** A cache whose queries have this time limit. */
export const make = Effect.fnUntraced(function* (
  timeout: Duration.Duration
): Effect.fn.Return<DnsCache, never, Scope.Scope> {
  const answers = yield* AnswerCache.make<Outcome, never>(limit, mostUnawaited)
  return {
    lookup: (servers, name, version) =>
      Effect.flatMap(
        answers.get(`${version} ${name} ${servers.key}`, find(servers, name, version, timeout)),
        Effect.fromResult
      )
  }
})

const find = (
  { queries }: Servers,
  name: Host.DomainName,
  version: 4 | 6,
  timeout: Duration.Duration
): Effect.Effect<AnswerCache.Answer<Outcome>> =>
  Effect.tryPromise({
    try: () =>
      version === 4 ? queries.resolve4(name, { ttl: true }) : queries.resolve6(name, { ttl: true }),
    catch: (error) => (error as NodeJS.ErrnoException).code ?? "unknown"
  }).pipe(
    Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.fail("ETIMEOUT") }),
    Effect.match({ onSuccess: found, onFailure: (code) => notFound(name, code) })
  )

const found = (records: ReadonlyArray<RecordWithTtl>): AnswerCache.Answer<Outcome> => {
  // A CNAME without addresses of this family.
  if (records.length === 0) return missing
  const kept = records.slice(0, mostAddresses)
  const seconds = kept.reduce((least, { ttl }) => Math.min(least, secondsOf(ttl)), Number.POSITIVE_INFINITY)
  return {
    value: Result.succeed(kept.map(({ address }) => NetAddress.ipFromStringUnsafe(address))),
    holdsFor: Math.min(seconds * 1000, longest)
  }
}

/** RFC 2181 §8: with the highest bit set, a TTL is zero. */
const secondsOf = (ttl: number): number => (ttl < 2 ** 31 ? ttl : 0)

const missing: AnswerCache.Answer<Outcome> = { value: Result.succeed([]), holdsFor: missingFor }

const notFound = (name: Host.DomainName, code: string): AnswerCache.Answer<Outcome> =>
  code === "ENOTFOUND" || code === "ENODATA"
    ? missing
    : {
        value: Result.fail(
          code === "ETIMEOUT" ? new ResolutionTimeout({ name }) : new ResolutionFailed({ name, code })
        ),
        holdsFor: failedFor
      }
