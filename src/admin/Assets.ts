/**
 * The files of the dashboard, which are read once and served from memory. There are no others.
 */
import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import type { IncomingMessage, ServerResponse } from "node:http"
import { gzipSync } from "node:zlib"
import * as Effect from "effect/Effect"

interface Asset {
  readonly type: string
  readonly bytes: Buffer
  readonly zipped: Buffer
  readonly tag: string
}

/** By the path of the request. */
export type Assets = ReadonlyMap<string, Asset>

const files = [
  ["/ui/", "index.html", "text/html; charset=utf-8"],
  ["/ui/app.js", "app.js", "text/javascript; charset=utf-8"],
  ["/ui/app.css", "app.css", "text/css; charset=utf-8"],
  ["/ui/icon.svg", "icon.svg", "image/svg+xml"]
] as const

const directories = [new URL("../ui/", import.meta.url), new URL("../../dist/ui/", import.meta.url)]

/** The built files, beside the built program; none where they were not built. */
export const load: Effect.Effect<Assets> = Effect.promise(async () => {
  for (const directory of directories) {
    const found = await Promise.all(
      files.map(async ([path, name, type]) => {
        const bytes = await readFile(new URL(name, directory)).catch(() => undefined)
        return bytes && ([path, asset(bytes, type)] as const)
      })
    )
    if (found.every((each) => each !== undefined)) return new Map(found)
  }
  return new Map()
})

const asset = (bytes: Buffer, type: string): Asset => ({
  type,
  bytes,
  zipped: gzipSync(bytes),
  tag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`
})

/** Answers a request for a file of the dashboard. Returns false for another request. */
export const answer = (
  assets: Assets,
  path: string,
  { method, headers }: IncomingMessage,
  response: ServerResponse
): boolean => {
  if (method !== "GET" && method !== "HEAD") return false
  if ((path === "/" || path === "/ui") && assets.size > 0) {
    response.writeHead(302, { location: "/ui/" }).end()
    return true
  }
  const found = assets.get(path)
  if (found === undefined) return false
  const isZipped = /\bgzip\b/.test(headers["accept-encoding"] ?? "")
  const isKnown = headers["if-none-match"] === found.tag
  const body = isZipped ? found.zipped : found.bytes
  response.writeHead(isKnown ? 304 : 200, {
    "content-type": found.type,
    "content-security-policy": policy,
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-cache",
    etag: found.tag,
    vary: "accept-encoding",
    ...(isKnown ? {} : { "content-length": body.length, ...(isZipped && { "content-encoding": "gzip" }) })
  })
  response.end(isKnown || method === "HEAD" ? undefined : body)
  return true
}

/** Nothing inline, nothing from elsewhere, no markup from texts (Trusted Types). */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'"
].join("; ")
