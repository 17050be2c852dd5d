/**
 * Messages of DNS (RFC 1035 §4): a question for the addresses of a name, and its response.
 */
import type * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"

/** The types of the records with addresses of IPv4 (A) and IPv6 (AAAA, RFC 3596). */
export const types = { 4: 1, 6: 28 } as const

export interface Question {
  readonly name: Host.DomainName
  readonly version: 4 | 6
}

/** An address, and the seconds for which it may be kept. */
interface Record {
  readonly address: NetAddress.IpAddress
  readonly ttl: number
}

export interface Response {
  readonly id: number
  /** RCODE (RFC 1035 §4.1.1): 0 for success, 3 for a name that does not exist. */
  readonly code: number
  /** Whether the response has exactly this question. */
  readonly answers: (question: Question) => boolean
  /** The addresses of the question's type, also those of an alias. */
  readonly records: ReadonlyArray<Record>
}

const headerSize = 12
const internet = 1
const alias = 5
/** The most records that are read: more than a name needs, and few enough to be read at once. */
const mostAnswers = 1000
const recursionDesired = 0x0100
const isResponse = 0x8000

/** The message of a question. The name must be whole, at most 253 characters, with labels of at most 63. */
export const encode = (id: number, { name, version }: Question): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(headerSize + name.length + 2 + 4)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, id)
  view.setUint16(2, recursionDesired)
  view.setUint16(4, 1)
  let at = headerSize
  for (const label of name.split(".")) {
    bytes[at++] = label.length
    for (let index = 0; index < label.length; index++) bytes[at++] = label.charCodeAt(index)
  }
  at++
  view.setUint16(at, types[version])
  view.setUint16(at + 2, internet)
  return bytes
}

/** The response in a whole message; undefined if the message is none, or is malformed. */
export const decode = (message: Uint8Array): Response | undefined => {
  const reader = new Reader(message)
  if (message.length < headerSize) return undefined
  const [id, flags, questions, answers] = [0, 2, 4, 6].map((at) => reader.word(at)) as [
    number,
    number,
    number,
    number
  ]
  if ((flags & isResponse) === 0 || questions !== 1) return undefined
  reader.at = headerSize
  const name = reader.name()
  const type = reader.next()
  const isInternet = reader.next() === internet
  const records = new Map<string, Array<Record & { readonly type: number }>>()
  const aliases = new Map<string, { readonly name: string; readonly ttl: number }>()
  for (let index = 0; index < Math.min(answers, mostAnswers) && !reader.isBroken; index++) {
    const owner = reader.name()
    const [kind, group, high, low, size] = [0, 0, 0, 0, 0].map(() => reader.next())
    const ttl = high! * 0x1_0000 + low!
    const start = reader.at
    if (group === internet && kind === alias) aliases.set(owner, { name: reader.name(), ttl })
    else if (group === internet && kind === type) {
      const address = addressOf(kind, message.subarray(start, start + size!))
      if (address === undefined) return undefined
      const known = records.get(owner)
      if (known === undefined) records.set(owner, [{ type: kind, address, ttl }])
      else known.push({ type: kind, address, ttl })
    }
    reader.at = start + size!
  }
  if (reader.isBroken || reader.at > message.length) return undefined
  return {
    id,
    code: flags & 0xf,
    answers: (question) =>
      isInternet && type === types[question.version] && name === question.name.toLowerCase(),
    records: follow(name, records, aliases)
  }
}

/** The addresses of a name or of what it is an alias of. The least TTL on the way holds. */
const follow = (
  name: string,
  records: ReadonlyMap<string, ReadonlyArray<Record>>,
  aliases: ReadonlyMap<string, { readonly name: string; readonly ttl: number }>
): ReadonlyArray<Record> => {
  let [at, least] = [name, Number.POSITIVE_INFINITY]
  // Aliases may be in a circle.
  for (let step = 0; step <= aliases.size; step++) {
    const found = records.get(at)
    if (found !== undefined) return found.map(({ address, ttl }) => ({ address, ttl: Math.min(ttl, least) }))
    const next = aliases.get(at)
    if (next === undefined) break
    ;[at, least] = [next.name, Math.min(least, next.ttl)]
  }
  return []
}

const addressOf = (type: number, data: Uint8Array): NetAddress.IpAddress | undefined => {
  if (type === types[4] && data.length === 4) return NetAddress.ipv4FromBytesUnsafe(data)
  return type === types[6] && data.length === 16 ? NetAddress.ipv6FromBytesUnsafe(data) : undefined
}

/** Reads a message from `at` on. Where the message is too short or wrong, the reader is broken. */
class Reader {
  at = 0
  isBroken = false
  private readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** The 16-bit word at this place; 0 behind the end. */
  word(at: number): number {
    if (at + 2 > this.bytes.length) this.isBroken = true
    return ((this.bytes[at] ?? 0) << 8) | (this.bytes[at + 1] ?? 0)
  }

  next(): number {
    const word = this.word(this.at)
    this.at += 2
    return word
  }

  /** A name in lower case. Pointers lead back only, so that a name ends (RFC 1035 §4.1.4). */
  name(): string {
    const labels: Array<string> = []
    let [at, end, limit] = [this.at, -1, this.at]
    for (;;) {
      const length = this.bytes[at]
      if (length === undefined || (length > 63 && length < 0xc0) || labels.length > 127) {
        this.isBroken = true
        return ""
      }
      if (length >= 0xc0) {
        const to = this.word(at) & 0x3fff
        if (end < 0) end = at + 2
        if (to >= limit) {
          this.isBroken = true
          return ""
        }
        at = limit = to
        continue
      }
      at++
      if (length === 0) break
      labels.push(String.fromCharCode(...this.bytes.subarray(at, at + length)).toLowerCase())
      at += length
    }
    this.at = end < 0 ? at : end
    return labels.join(".")
  }
}
