/**
 * HTTP messages written out, and read back as far as tests need it.
 */
import * as Effect from "effect/Effect"
import type { Peer } from "../../src/testing/index.ts"

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0))

/** A message of these head lines, CRLF between them, and a body behind. One character is one byte. */
export const message = (lines: ReadonlyArray<string>, body = "") =>
  latin1(`${lines.join("\r\n")}\r\n\r\n${body}`)

export interface Message {
  readonly start: string
  readonly status: number
  /** Values by lower-cased name, joined by commas. */
  readonly fields: Readonly<Record<string, string>>
  /** As it came, chunks and all. */
  readonly body: string
}

/** A message, with a body of as many bytes as Content-Length says, or none. */
export const receive = Effect.fnUntraced(function* (peer: Peer) {
  let head = ""
  while (!head.endsWith("\r\n\r\n")) {
    const [byte] = yield* peer.receive(1)
    if (byte === undefined) return parse(head, "")
    head += String.fromCharCode(byte)
  }
  const { fields } = parse(head, "")
  return parse(head, text(yield* peer.receive(Number(fields["content-length"] ?? 0))))
})

/** One message and everything behind it, until the end. */
export const receiveAll = Effect.fnUntraced(function* (peer: Peer) {
  const [head, ...body] = text(yield* peer.rest).split("\r\n\r\n")
  return parse(head!, body.join("\r\n\r\n"))
})

export const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1")

const parse = (head: string, body: string): Message => {
  const [start = "", ...lines] = head.trimEnd().split("\r\n")
  const fields: Record<string, string> = {}
  for (const line of lines) {
    const [, name, value] = /^([^:]*): ?(.*)$/.exec(line) ?? []
    const key = String(name).toLowerCase()
    fields[key] = fields[key] === undefined ? value! : `${fields[key]}, ${value}`
  }
  return { start, status: Number(start.split(" ")[1]), fields, body }
}

/**
 * The heads of the requests on one connection, from the bytes in pieces as they come: calls `onHead` with each, and
 * skips bodies of a known length and in chunks.
 */
export const requests = (onHead: (head: string) => void): ((chunk: Uint8Array) => void) => {
  let seen = ""
  let body = 0
  let isChunked = false
  const step = (): boolean => {
    if (body > 0) {
      const size = Math.min(body, seen.length)
      seen = seen.slice(size)
      body -= size
      return size > 0
    }
    const end = isChunked ? /(?:^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(seen) : /\r\n\r\n/.exec(seen)
    if (end === null) return false
    const head = seen.slice(0, end.index + end[0].length)
    seen = seen.slice(head.length)
    if (!isChunked) {
      const { fields } = parse(head, "")
      body = Number(fields["content-length"] ?? 0)
      isChunked = fields["transfer-encoding"] !== undefined
      onHead(head)
    } else isChunked = false
    return true
  }
  return (chunk) => {
    seen += text(chunk)
    while (step()) {}
  }
}
