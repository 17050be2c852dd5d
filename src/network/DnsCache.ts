/**
 * What name servers have answered, for as long as their answers hold: each family
 * of a name by itself. Who asks while an answer is on its way waits for that one.
 *
 * Nothing here is a decision: addresses out of the cache are judged like others.
 */
import type { RecordWithTtl } from "node:dns"
import type { Resolver as Queries } from "node:dns/promises"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as AnswerCache from "../base/AnswerCache.ts"
import { ResolutionFailed, ResolutionTimeout } from "../Errors.ts"

/** Name servers, and what tells them from those that were asked before. */
export interface Servers {
  readonly key: string
  readonly queries: Pick<Queries, "resolve4" | "resolve6">
}

type Failure = ResolutionFailed | ResolutionTimeout

export interface DnsCache {
  /** The addresses of one family that a name has: none, if there is no such name, or it has others only. */
  readonly lookup: (
    servers: Servers,
    name: Host.DomainName,
    version: 4 | 6
  ) => Effect.Effect<ReadonlyArray<NetAddress.IpAddress>, Failure>
}

/** Answers that are kept. A name has two. */
const limit = 8192

/** Addresses that are kept of an answer: as many as one would ever try, and not what fits into a message. */
const mostAddresses = 32

/** Look-ups that go on when nobody waits for them any more, such as those of the slower family. */
const unattended = 256

/** However long a TTL is, in milliseconds. */
const longest = 3_600_000

/** How long a name is known to have no addresses: c-ares does not tell the SOA's TTL (RFC 2308 §5). */
const missingFor = 10_000

/** How long a failure holds (RFC 9520 §3.2: a second at least). */
const failedFor = 1_000

type Outcome = Result.Result<ReadonlyArray<NetAddress.IpAddress>, Failure>

/** Nobody waits longer than `timeout` for servers. */
export const make = Effect.fnUntraced(function* (
  timeout: Duration.Duration
): Effect.fn.Return<DnsCache, never, Scope.Scope> {
  const answers = yield* AnswerCache.make<Outcome, never>(limit, unattended)
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
  // An alias that leads to no address of this family.
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
