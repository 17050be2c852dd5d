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
