/**
 * Where the body of an HTTP/1 message ends (RFC 9112 §6). Framing that could be read in two ways is refused.
 */
import * as Result from "effect/Result"
import { BadResponse, MalformedRequest } from "../Errors.ts"
import { type Fields, type Head, list, values } from "./Http.ts"
import type { ResponseHead } from "./HttpHead.ts"

/** No body; a body of this many bytes; chunks; or a body that ends with the connection. */
export type Framing =
  | { readonly _tag: "None" }
  | { readonly _tag: "Length"; readonly length: number }
  | { readonly _tag: "Chunked" }
  | { readonly _tag: "Close" }

export const none: Framing = { _tag: "None" }
export const chunked: Framing = { _tag: "Chunked" }
export const close: Framing = { _tag: "Close" }

/** The framing of a request: without fields about it, the request has no body. */
export const ofRequest = ({ fields, version }: Head): Result.Result<Framing, MalformedRequest> => {
  const framing = stated(fields, version) ?? none
  return typeof framing === "string"
    ? Result.fail(new MalformedRequest({ reason: framing }))
    : Result.succeed(framing)
}

/** The framing of the response to a request with this method. */
export const ofResponse = (
  { fields, status, version }: ResponseHead,
  method: string
): Result.Result<Framing, BadResponse> => {
  const framing = stated(fields, version) ?? close
  if (typeof framing === "string") return Result.fail(new BadResponse({ reason: framing, status }))
  const isBodiless = method === "HEAD" || status < 200 || status === 204 || status === 304
  return Result.succeed(isBodiless ? none : framing)
}

/** The framing that the fields state, or what is wrong with them; undefined if no field is about it. */
const stated = (fields: Fields, version: string): Framing | string | undefined => {
  const codings = values(fields, "transfer-encoding")
  const lengths = values(fields, "content-length")
  if (codings.length > 0) {
    if (lengths.length > 0) return "both Transfer-Encoding and Content-Length"
    if (version === "1.0") return "Transfer-Encoding in HTTP/1.0"
    return codings.length === 1 && codings[0]!.toLowerCase() === "chunked"
      ? chunked
      : "Transfer-Encoding is something else than one chunked"
  }
  if (lengths.length === 0) return undefined
  // The same length again is no contradiction (RFC 9110 §8.6).
  const all = lengths.length === 1 && !lengths[0]!.includes(",") ? lengths : lengths.flatMap(list)
  const first = all[0]
  if (!/^\d{1,15}$/.test(first!)) return "Content-Length is no number of bytes"
  if (all.some((other) => other !== first)) return "different values of Content-Length"
  return { _tag: "Length", length: Number(first) }
}
