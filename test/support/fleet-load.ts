/**
 * Clients of a fleet who use limits of each kind all the time, and what they have got in all: within the limits, whatever
 * happens meanwhile to the machines and to their store.
 */
import type { Socket } from "node:net"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Peer } from "../../src/testing/index.ts"
import { until } from "./until.ts"

/** Of a user each: sessions at a time, new sessions a second, bytes a second, and bytes. */
export const limits = { sessions: 50, rate: 5, bandwidth: 600 * 1024, quota: 4 * 2 ** 20 }

/** Bytes a second of an account with a quota, as what is moved until machines have told each other goes beyond it. */
const speed = 400 * 1024

/** For the config file: a user for each kind of limit, and accounts with a quota, which is used up once each. */
export const users = ({ sessions, rate, bandwidth, quota } = limits): string =>
  [
    "users:",
    ...Object.entries({
      alice: `sessions: ${sessions}`,
      bob: `session-rate: ${rate}`,
      carol: `download: ${bandwidth / 1024}KiB`,
      ...Object.fromEntries(
        accounts.map((name) => [name, `monthly-quota: ${quota / 1024}KiB, download: ${speed / 1024}KiB`])
      )
    }).map(([name, own]) => `  - { name: ${name}, password: secret, limits: { ${own} } }`)
  ].join("\n")

const accounts = ["dave1", "dave2", "dave3", "dave4"]

/** How clients come to the fleet, or to one machine of it. */
export interface Way {
  /** A client, and the code of the reply to a request for this port; none where the connection has ended. */
  readonly ask: (
    user: string,
    port: number
  ) => Effect.Effect<{ readonly client: Peer; readonly code: number | undefined }, string, Scope.Scope>
  /** Targets: one that sends nothing, and one that sends without an end. */
  readonly silent: number
  readonly pouring: number
}

/** A client gives up in the end, as where its machine stands still. */
const asked = ({ ask }: Way, user: string, port: number) =>
  Effect.timeoutOrElse(ask(user, port), { duration: "4 seconds", orElse: () => Effect.fail("no answer") })

/** So many clients, each of which does this again and again. */
const clients = (count: number, once: Effect.Effect<void, string, Scope.Scope>) =>
  Effect.replicateEffect(
    Effect.forkScoped(Effect.forever(Effect.catch(Effect.scoped(once), () => Effect.sleep("300 millis")))),
    count,
    { discard: true }
  )

/**
 * Clients who begin sessions and end them again. A session counts from the reply until its client begins to end it, so never
 * for longer than it has its place.
 */
export const sessions = Effect.fnUntraced(function* (
  way: Way,
  user: string,
  count: number,
  { hold, pause }: Readonly<Record<"hold" | "pause", number>>
) {
  const counts = { open: 0, most: 0, begun: 0 }
  yield* clients(
    count,
    Effect.gen(function* () {
      const { client, code } = yield* asked(way, user, way.silent)
      if (code !== 0) return yield* Effect.sleep(pause)
      counts.open++
      counts.begun++
      counts.most = Math.max(counts.most, counts.open)
      yield* Effect.timeoutOption(client.ending, hold * (0.5 + Math.random()))
      counts.open--
    })
  )
  return {
    counts,
    /** Completes when so many more sessions have begun. */
    goesOn: (count: number) =>
      Effect.suspend(() => {
        const from = counts.begun
        return until(() => counts.begun - from >= count)
      })
  }
})

/** Clients who receive as much as they can get, and begin anew when that has ended. */
export const downloads = Effect.fnUntraced(function* (way: Way, user: string, count: number) {
  const meter = { bytes: 0, refusals: 0 }
  yield* clients(
    count,
    Effect.gen(function* () {
      const { client, code } = yield* asked(way, user, way.pouring)
      if (code !== 0) {
        meter.refusals++
        return yield* Effect.sleep("300 millis")
      }
      client.duplex.removeAllListeners("data").on("data", ({ length }: Buffer) => {
        meter.bytes += length
      })
      yield* client.ending
    })
  )
  return {
    meter,
    /** Completes when nobody gets any more of a quota. */
    isSpent: Effect.suspend(() => {
      let [bytes, refusals] = [meter.bytes, meter.refusals]
      return until(() => {
        if (meter.bytes > bytes) [bytes, refusals] = [meter.bytes, meter.refusals]
        return meter.refusals >= refusals + 4 * count
      })
    })
  }
})

/** Clients who use a rate, a bandwidth and a quota. */
export const flows = Effect.fnUntraced(function* (way: Way, account: string) {
  const { counts } = yield* sessions(way, "bob", 6, { hold: 10, pause: 300 })
  const { meter } = yield* downloads(way, "carol", 6)
  const quota = yield* downloads(way, account, 3)
  return {
    /** What is used from now on. */
    since: () => {
      const [at, begun, bytes] = [performance.now(), counts.begun, meter.bytes]
      return (): Used => ({
        seconds: (performance.now() - at) / 1000,
        begun: counts.begun - begun,
        bytes: meter.bytes - bytes
      })
    },
    flowing: until(() => counts.begun > 0 && meter.bytes > 0 && quota.meter.bytes > 0),
    spent: quota.isSpent,
    ofQuota: () => quota.meter.bytes
  }
})

/** Sessions that began, and bytes that came, in a time. */
interface Used {
  readonly seconds: number
  readonly begun: number
  readonly bytes: number
}

/**
 * Asserts that no more was used than a part of the limits, and so many seconds of the rate of sessions at once. Buckets hold a
 * quarter of a second of bytes, and are filled where a machine begins.
 */
export const assertWithin = ({ seconds, begun, bytes }: Used, part = 1, bursts = 1): void => {
  // Leased tokens are kept for 400 ms.
  assert.isAtMost(begun, part * limits.rate * (seconds + 0.4 + bursts), "sessions of a rate")
  assert.isAtMost(bytes, part * limits.bandwidth * (1.05 * seconds + bursts), "bytes of a bandwidth")
}

/**
 * Asserts that a quota that is spent was kept. Machines move a second of it until they are told, and forget as much; on a busy
 * computer each takes longer.
 */
export const assertQuota = (bytes: number, quota: number): void => {
  assert.isAtMost(bytes, quota + 5 * speed, "bytes of a quota")
}

/** The same with sessions at a time. */
export const all = Effect.fnUntraced(function* (way: Way, account: string) {
  const own = yield* sessions(way, "alice", Math.ceil(limits.sessions * 1.15), { hold: 900, pause: 1000 })
  return { ...own, ...(yield* flows(way, account)) }
})

/** Words on a network within two seconds of each other have no order. Completes when the next one has. */
export const apart = Effect.sleep("2500 millis")

/** Ends a connection at once. */
export const reset = ({ duplex }: Peer) => Effect.sync(() => void (duplex as Socket).resetAndDestroy())
