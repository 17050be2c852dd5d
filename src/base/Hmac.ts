/**
 * Keyed hashes by HMAC with SHA-256 (RFC 2104).
 */
import { createHmac, createSecretKey, randomBytes } from "node:crypto"
import * as Layer from "effect/Layer"
import { type Digest, KeyedHash } from "./KeyedHash.ts"

/** Characters of Base64, for 132 bits: too many for a collision to be found. */
const length = 22

export const digest = (key: string): Digest => {
  // From bytes, Node 24 would make such an object for each hash, which takes several times as long as the hash.
  const secret = createSecretKey(key, "base64")
  return (...parts) => {
    const hmac = createHmac("sha256", secret)
    for (const part of parts) hmac.update(`${part.length}:`).update(part)
    return hmac.digest("base64").slice(0, length)
  }
}

export const newKey = (): string => randomBytes(32).toString("base64")

export const hashes: KeyedHash["Service"] = { newKey, make: digest }

export const layer: Layer.Layer<KeyedHash> = Layer.succeed(KeyedHash, hashes)
