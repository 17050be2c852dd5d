/**
 * The heads of HTTP/1 messages (RFC 9112 §2 to §5), to values and back. A string here has one character for each byte
 * (Latin-1), so that bytes above 0x7f pass as they came.
 *
 * A request whose lines could be read in two ways is refused. A response is read as leniently as RFC 9112 lets a proxy:
 * a bare LF ends a line, a folded value becomes one line, and the space before a colon is removed. Control characters in
 * values pass, but for those that could end a line.
 */
import * as Result from "effect/Result"
import { BadResponse, HeadTooLarge, MalformedRequest } from "../Errors.ts"
import { complete, type Decoder, incomplete } from "./Decoder.ts"
import { type Fields, type Head, isSpace, trimmed } from "./Http.ts"
import { printable } from "./Text.ts"

/** The head of a response. */
export interface ResponseHead {
  /** 100 to 999. */
  readonly status: number
  readonly reason: string
  /** `1.1` or `1.0`. */
  readonly version: string
  readonly fields: Fields
}

/** The most bytes of a head. */
export const sizeLimit = 64 * 1024

/** The most fields of a request, and of trailers. */
export const requestFields = 100

/** The most fields of a response, and of each interim response. */
export const responseFields = 250

/** Decodes the head of a request. Before the end of the head, the request line and the size are judged already. */
export const request: Decoder<Head, MalformedRequest | HeadTooLarge> = (bytes) => {
  const size = sizeOf(bytes, requestFields)
  if (size === tooLarge) return Result.fail(new HeadTooLarge())
  const lines = linesOf(bytes, size)
  const start = lines[0]
  if (start === undefined) return incomplete
  const line = /^([!#$%&'*+\-.^_`|~\w]+) ([\x21-\x7e\x80-\xff]+) HTTP\/(\d\.\d)\r$/.exec(start)
  if (line === null) return malformed("the request line is not METHOD TARGET HTTP/1.1")
  if (size === 0) return incomplete
  const fields = fieldsOf(lines, 1)
  return typeof fields === "string"
    ? malformed(fields)
    : complete({ method: line[1]!, target: line[2]!, version: line[3]!, fields }, size)
}

/** Decodes the head of a response. */
export const response: Decoder<ResponseHead, BadResponse> = (bytes) => {
  const size = sizeOf(bytes, responseFields)
  if (size === tooLarge) return bad("a head that is too large, or has too many fields")
  const lines = linesOf(bytes, size)
  const start = lines[0]
  if (start === undefined) return incomplete
  const line = /^HTTP\/(1\.[01]) ([1-9]\d\d)(?: ([^\r]*))?\r?$/.exec(start)
  if (line === null) return bad("the status line is none of HTTP/1")
  if (size === 0) return incomplete
  const fields = fieldsOfResponse(lines)
  return typeof fields === "string"
    ? bad(fields)
    : complete({ status: Number(line[2]), reason: line[3] ?? "", version: line[1]!, fields }, size)
}

/** Decodes the fields behind the last chunk, and the empty line. Fails with the reason. */
export const trailers: Decoder<Fields, string> = (bytes) => {
  const size = sizeOf(bytes, requestFields)
  if (size === tooLarge) return Result.fail("trailers that are too large")
  if (size === 0) return incomplete
  const fields = fieldsOf(linesOf(bytes, size), 0)
  return typeof fields === "string" ? Result.fail(fields) : complete(fields, size)
}

/** A head with its empty line. The start line and the fields must hold no line breaks. */
export const write = (start: string, fields: Fields): string => {
  let text = `${start}\r\n`
  for (const [name, value] of fields) text += `${name}: ${value}\r\n`
  return `${text}\r\n`
}

/** The text of these bytes, with one character for each byte. */
export const latin1 = (bytes: Uint8Array, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, end).toString("latin1")

const tooLarge = -1

/** The size of the head up to its empty line; 0 if the empty line is still missing; `tooLarge` beyond the limits. */
const sizeOf = (bytes: Uint8Array, fieldLimit: number): number => {
  // The start line, and the empty line.
  let left = fieldLimit + 2
  for (let start = 0, end = 0; ; start = end + 1) {
    end = bytes.indexOf(lf, start)
    if (end === -1 || end >= sizeLimit) return end === -1 && bytes.length <= sizeLimit ? 0 : tooLarge
    if (left-- === 0) return tooLarge
    if (end === start || (end === start + 1 && bytes[start] === cr)) return end + 1
  }
}

/** The lines of a whole head without their LF, and an empty string behind them; of a part, only its first line. */
const linesOf = (bytes: Uint8Array, size: number): ReadonlyArray<string> => {
  if (size > 0) return latin1(bytes, size).split("\n")
  const end = bytes.indexOf(lf)
  return end === -1 ? [] : [latin1(bytes, end)]
}

/** The fields of all lines from this one to the empty line, or what is wrong with one. An empty string is the last line. */
const fieldsOf = (lines: ReadonlyArray<string>, from: number): Fields | string => {
  const fields: Array<Fields[number]> = []
  for (let index = from; index < lines.length - 2; index++) {
    const field = fieldOf(lines[index]!)
    if (typeof field === "string") return field
    fields.push(field)
  }
  return fields
}

/** A field of a line that ends with CR, or what is wrong with the line. */
const fieldOf = (line: string, bad = control): Fields[number] | string => {
  const colon = line.indexOf(":")
  if (colon === -1) return `a line without a colon: ${quoted(line)}`
  const name = line.slice(0, colon)
  if (!token.test(name)) return `not a field name: ${quoted(name)}`
  if (!line.endsWith("\r")) return `the line of ${name} ends without CR`
  const value = trimmed(line, colon + 1, line.length - 1)
  return bad.test(value) ? `a control character in ${name}` : [name, value]
}

/** The same of a response, all of whose lines but the first are fields. */
const fieldsOfResponse = (lines: ReadonlyArray<string>): Fields | string => {
  const fields: Array<readonly [string, string]> = []
  for (let index = 1; index < lines.length - 2; index++) {
    const text = lines[index]!
    const line = text.endsWith("\r") ? text : `${text}\r`
    const last = fields.at(-1)
    if (isSpace(line.charCodeAt(0))) {
      if (last === undefined) return "a space before the first field"
      const folded = `${last[1]} ${trimmed(line, 0, line.length - 1)}`
      if (lineBreak.test(folded)) return `a control character in ${last[0]}`
      fields[fields.length - 1] = [last[0], folded]
      continue
    }
    const colon = line.indexOf(":")
    const isSpaced = colon > 0 && isSpace(line.charCodeAt(colon - 1))
    const field = fieldOf(isSpaced ? trimmed(line, 0, colon) + line.slice(colon) : line, lineBreak)
    if (typeof field === "string") return field
    fields.push(field)
  }
  return fields
}

/** Whether the text is a token, such as a method or the name of a field (RFC 9110 §5.6.2). */
export const isToken = (text: string): boolean => token.test(text)

/** Whether the text has a control character other than a tab, or a character that is no byte. */
export const isControlled = (text: string): boolean => control.test(text)

const token = /^[!#$%&'*+\-.^_`|~\w]+$/

const control = /[^\t\x20-\x7e\x80-\xff]/

/** What could end a line for somebody (RFC 9110 §5.5). */
const lineBreak = /[\r\n\0]/

const quoted = (text: string): string => JSON.stringify(printable(text.replace(/\r$/, ""), 40))

const malformed = (reason: string) => Result.fail(new MalformedRequest({ reason }))

const bad = (reason: string) => Result.fail(new BadResponse({ reason }))

const lf = 0x0a
const cr = 0x0d
