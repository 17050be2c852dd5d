/**
 * A database in memory with the commands of Redis that the fleet's scripts use, for tests and simulation.
 */

import { SortedSet } from "./SortedSet.ts"

type Value = Map<string, string> | Set<string> | SortedSet

interface Entry {
  readonly value: Value
  /** The time at which the key is gone. */
  expiresAt: number
}

/** What was in a database at some time. */
export type Copy = ReadonlyMap<string, Readonly<Entry>>

const copyOf = (value: Value): Value => {
  if (value instanceof SortedSet) return value.copy()
  return value instanceof Set ? new Set(value) : new Map(value)
}

export class MemoryDatabase {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly publish: (channel: string, message: string) => void
  private readonly entries = new Map<string, Entry>()

  constructor(now: () => number, publish: (channel: string, message: string) => void) {
    this.now = now
    this.publish = publish
  }

  /** Forgets everything. */
  flush(): void {
    this.entries.clear()
  }

  /** Forgets the keys of this kind. */
  forget(isOf: (key: string) => boolean): void {
    for (const key of [...this.entries.keys()]) if (isOf(key)) this.entries.delete(key)
  }

  /** A copy of all there is now, for `restore`. */
  copy(): Copy {
    return new Map(
      [...this.entries].map(([key, { value, expiresAt }]) => [key, { value: copyOf(value), expiresAt }])
    )
  }

  /** Has what was there when the copy was made, and nothing else. */
  restore(copy: Copy): void {
    this.entries.clear()
    for (const [key, { value, expiresAt }] of copy) {
      this.entries.set(key, { value: copyOf(value), expiresAt })
    }
  }

  size(): number {
    return [...this.entries.keys()].filter((key) => this.find(key) !== undefined).length
  }

  hget(key: string, field: string): string | undefined {
    return (this.find(key) as Map<string, string> | undefined)?.get(field)
  }

  hset(key: string, field: string, value: string | number): void {
    this.of(key, () => new Map<string, string>()).set(field, String(value))
  }

  hdel(key: string, field: string): void {
    const hash = this.find(key) as Map<string, string> | undefined
    hash?.delete(field)
    if (hash?.size === 0) this.entries.delete(key)
  }

  hincrby(key: string, field: string, by: number): number {
    const value = Number(this.hget(key, field) ?? 0) + by
    this.hset(key, field, value)
    return value
  }

  hgetall(key: string): ReadonlyMap<string, string> {
    return (this.find(key) as Map<string, string> | undefined) ?? new Map()
  }

  zadd(key: string, member: string, score: number): void {
    this.of(key, () => new SortedSet()).set(member, score)
  }

  /** Adds a member that is not there yet (`NX`). */
  zaddNew(key: string, member: string, score: number): void {
    if (this.zscore(key, member) === undefined) this.zadd(key, member, score)
  }

  zrem(key: string, member: string): void {
    const set = this.sorted(key)
    set?.delete(member)
    if (set?.size === 0) this.entries.delete(key)
  }

  /** The members with a score up to this, by score, and those of the same score by name. */
  zrange(key: string, most = Infinity): ReadonlyArray<string> {
    return this.sorted(key)?.upTo(most) ?? []
  }

  zremrangebyscore(key: string, most: number): void {
    for (const member of this.zrange(key, most)) this.zrem(key, member)
  }

  zcard(key: string): number {
    return this.sorted(key)?.size ?? 0
  }

  zscore(key: string, member: string): number | undefined {
    return this.sorted(key)?.score(member)
  }

  /** The place of a member, from 0 on. */
  zrank(key: string, member: string): number | undefined {
    return this.sorted(key)?.rank(member)
  }

  sadd(key: string, member: string): void {
    this.of(key, () => new Set<string>()).add(member)
  }

  srem(key: string, member: string): void {
    const set = this.find(key) as Set<string> | undefined
    set?.delete(member)
    if (set?.size === 0) this.entries.delete(key)
  }

  smembers(key: string): ReadonlyArray<string> {
    return [...((this.find(key) as Set<string> | undefined) ?? [])]
  }

  sismember(key: string, member: string): boolean {
    return (this.find(key) as Set<string> | undefined)?.has(member) ?? false
  }

  /** Some members, not by chance: of calls one after the other, all in turn. */
  srandmember(key: string, count: number): ReadonlyArray<string> {
    const members = this.find(key) as Set<string> | undefined
    const some = this.smembers(key).slice(0, count)
    for (const member of some) {
      members?.delete(member)
      members?.add(member)
    }
    return some
  }

  scard(key: string): number {
    return (this.find(key) as Set<string> | undefined)?.size ?? 0
  }

  del(key: string): void {
    this.entries.delete(key)
  }

  pexpire(key: string, milliseconds: number): void {
    const entry = this.entries.get(key)
    if (entry) entry.expiresAt = this.now() + milliseconds
  }

  private sorted(key: string): SortedSet | undefined {
    return this.find(key) as SortedSet | undefined
  }

  private find(key: string): Value | undefined {
    const entry = this.entries.get(key)
    if (entry === undefined) return undefined
    if (entry.expiresAt > this.now()) return entry.value
    this.entries.delete(key)
    return undefined
  }

  private of<V extends Value>(key: string, make: () => V): V {
    const known = this.find(key)
    if (known) return known as V
    const value = make()
    this.entries.set(key, { value, expiresAt: Infinity })
    return value
  }
}
