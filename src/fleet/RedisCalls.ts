/**
 * Calls of scripts on a connection to Redis, each of which has its reply or a failure in a bounded time.
 */
import { createHash } from "node:crypto"
import type { FleetStoreFailed } from "../Errors.ts"
import type { Answer } from "./FleetStore.ts"
import { most, type RedisClient } from "./RedisClient.ts"
import type { Script } from "./Script.ts"

/** Milliseconds in which the store has to answer a call. */
export const patience = 1000

/** A call without a reply. */
interface Pending {
  /** Since when the reply is waited for. */
  sentAt: number
  readonly answer: Answer<never>
}

export class RedisCalls {
  private readonly failure: (reason: string) => FleetStoreFailed
  private readonly breakOff: (reason: string) => void
  /** Scripts that the store has on this connection. */
  private loaded = new Set<Script<unknown>>()
  private readonly digests = new Map<Script<unknown>, string>()
  /** In the order in which the calls were sent. */
  private readonly pending = new Set<Pending>()
  private lastReplyAt = 0
  private checkedAt = 0

  /** `breakOff` ends the connection. */
  constructor(failure: (reason: string) => FleetStoreFailed, breakOff: (reason: string) => void) {
    this.failure = failure
    this.breakOff = breakOff
  }

  /** There is a new connection. */
  begin(): void {
    this.loaded = new Set()
    this.heard()
  }

  /** Something has come from the store. */
  heard(): void {
    this.lastReplyAt = performance.now()
  }

  run<Reply>(
    client: RedisClient,
    script: Script<Reply>,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<string | number>,
    answer: Answer<Reply>
  ): void {
    if (this.pending.size >= most) {
      this.fail(answer, "too many calls wait for their replies")
      return
    }
    const pending = { sentAt: performance.now(), answer }
    this.pending.add(pending)
    const isLoaded = this.loaded.has(script)
    this.loaded.add(script)
    const command = isLoaded ? ["EVALSHA", this.digestOf(script)] : ["EVAL", script.lua]
    client
      .sendCommand<unknown>([...command, String(keys.length), ...keys, ...args.map(String)], { timeout: 0 })
      .then(
        (reply) => {
          this.heard()
          if (!this.pending.delete(pending)) return
          if (script.isReply(reply)) answer(reply as Reply)
          else answer(this.failure(`${script.name} was answered with something else`))
        },
        ({ message }: Error) => {
          if (/^NOSCRIPT/.test(message)) this.loaded.delete(script)
          if (this.pending.delete(pending)) answer(this.failure(message))
          // Another server has taken over: the address may lead to that one now.
          if (/^(READONLY|MOVED|CLUSTERDOWN)/.test(message)) this.breakOff(message)
        }
      )
  }

  /** Fails a call that is not sent. */
  fail(answer: Answer<never>, reason: string): void {
    const failure = this.failure(reason)
    queueMicrotask(() => answer(failure))
  }

  /** Fails the calls that have waited too long, and ends a connection on which nothing comes. To be called often. */
  check(): void {
    const now = performance.now()
    const isLate = now - this.checkedAt > patience / 2
    this.checkedAt = now
    // This process stood still, and has not read what came meanwhile.
    if (isLate) {
      this.lastReplyAt = now
      for (const pending of this.pending) pending.sentAt = now
      return
    }
    for (const pending of this.pending) {
      if (now - pending.sentAt < patience) return
      this.pending.delete(pending)
      pending.answer(this.failure("no reply"))
      if (now - this.lastReplyAt > patience) this.breakOff("no reply")
    }
  }

  /** The connection is gone, with all that waits. */
  end(): void {
    for (const { answer } of [...this.pending]) answer(this.failure("the connection was closed"))
    this.pending.clear()
  }

  private digestOf(script: Script<unknown>): string {
    const known = this.digests.get(script)
    if (known !== undefined) return known
    const digest = createHash("sha1").update(script.lua).digest("hex")
    this.digests.set(script, digest)
    return digest
  }
}
