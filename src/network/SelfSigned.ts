/**
 * A self-signed certificate for TLS listeners, for trying (RFC 5280). Node makes keys and signatures but no
 * certificates, and the packages that do are larger than the rest of this program.
 */
import { createPrivateKey, generateKeyPairSync, randomBytes, sign, X509Certificate } from "node:crypto"
import { hostname } from "node:os"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as IpBits from "../base/IpBits.ts"

/** A certificate and its key, in PEM. */
export interface Pair {
  readonly cert: string
  readonly key: string
}

/** Gives a pair for listeners at these hosts. */
export type Source = (hosts: ReadonlyArray<string>) => Effect.Effect<Pair>

/** The same pair for all generations of a server. By default each generation gets a pair of its own. */
export const SelfSigned = Context.Reference<Source>("effect-socks/network/SelfSigned", {
  defaultValue: () => make
})

/** Makes a pair when it is first asked for, and gives that from then on. */
export const kept = (): Source => {
  let known: Pair | undefined
  return (hosts) =>
    Effect.suspend(() =>
      known
        ? Effect.succeed(known)
        : Effect.tap(make(hosts), (pair) =>
            Effect.sync(() => {
              known = pair
            })
          )
    )
}

/** The SHA-256 of a certificate, as clients show it. */
export const fingerprint = (cert: string): string => new X509Certificate(cert).fingerprint256

/** A pair for this machine's names and these hosts, good for a year. */
export const make: Source = (hosts) =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const { publicKey, privateKey } = generateKeyPairSync("ec", {
      namedCurve: "prime256v1",
      publicKeyEncoding: { type: "spki", format: "der" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" }
    })
    const names = [...new Set(["localhost", "127.0.0.1", "::1", hostname(), ...hosts])]
    const body = toBeSigned(publicKey, now, names.flatMap(alternativeName))
    const signature = sign("sha256", body, createPrivateKey(privateKey))
    const certificate = sequence(body, ecdsaWithSha256, bits(signature))
    const lines = certificate.toString("base64").match(/.{1,64}/g) ?? []
    const cert = ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n")
    return { cert, key: privateKey }
  })

/** RFC 5280 §4.1. The certificate is no authority: who trusts it trusts this server, and no other. */
const toBeSigned = (publicKey: Buffer, now: number, names: ReadonlyArray<Buffer>): Buffer => {
  const name = sequence(
    der(0x31, sequence(oid(0x55, 4, 3), text(0x0c, "effect-socks self-signed for trying")))
  )
  // A day earlier, for clients with a clock that is slow.
  const validity = sequence(time(now - day), time(now + 365 * day))
  return sequence(
    der(0xa0, integer(2)),
    // Positive, and not longer than 20 bytes (§4.1.2.2).
    der(0x02, Buffer.from([0x40]), randomBytes(15)),
    ecdsaWithSha256,
    name,
    validity,
    name,
    publicKey,
    der(
      0xa3,
      sequence(
        extension(oid(0x55, 29, 19), sequence(), true),
        extension(oid(0x55, 29, 15), der(0x03, Buffer.from([7, 0x80])), true),
        extension(oid(0x55, 29, 37), sequence(oid(0x2b, 6, 1, 5, 5, 7, 3, 1))),
        extension(oid(0x55, 29, 17), sequence(...names))
      )
    )
  )
}

const day = 24 * 60 * 60_000

/** The GeneralName of an address or of a DNS name (§4.2.1.6); nothing for what is neither, or means every address. */
const alternativeName = (host: string): ReadonlyArray<Buffer> => {
  const ip = Option.getOrUndefined(Result.getSuccess(NetAddress.ipFromString(host)))
  if (ip === undefined) {
    return Result.isSuccess(Host.hostFromString(host)) && /^[\w.-]+$/.test(host) ? [text(0x82, host)] : []
  }
  if (NetAddress.isUnspecified(ip)) return []
  const { isIpv4, w0, w1, w2, w3 } = IpBits.ofAddress(ip)
  const bytes = Buffer.alloc(16)
  for (const [index, word] of [w0, w1, w2, w3].entries()) bytes.writeInt32BE(word | 0, index * 4)
  return [der(0x87, isIpv4 ? bytes.subarray(12) : bytes)]
}

// DER (X.690): a tag, a length, and the content ------------------------------

const der = (tag: number, ...parts: ReadonlyArray<Uint8Array>): Buffer => {
  const content = Buffer.concat(parts)
  const { length } = content
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...head]), content])
}

const sequence = (...parts: ReadonlyArray<Uint8Array>): Buffer => der(0x30, ...parts)
const integer = (value: number): Buffer => der(0x02, Buffer.from([value]))
const bits = (bytes: Uint8Array): Buffer => der(0x03, Buffer.from([0]), bytes)
const text = (tag: number, value: string): Buffer => der(tag, Buffer.from(value))

/** The first byte has the first two numbers; each other number is below 128. */
const oid = (...numbers: ReadonlyArray<number>): Buffer => der(0x06, Buffer.from(numbers))

/** GeneralizedTime, or UTCTime until 2049 (RFC 5280 §4.1.2.5). */
const time = (at: number): Buffer => {
  const digits = `${new Date(at).toISOString().replace(/\D/g, "").slice(0, 14)}Z`
  return digits < "2050" ? text(0x17, digits.slice(2)) : text(0x18, digits)
}

const extension = (id: Buffer, value: Buffer, isCritical = false): Buffer =>
  sequence(id, ...(isCritical ? [der(0x01, Buffer.from([0xff]))] : []), der(0x04, value))

/** 1.2.840.10045.4.3.2 */
const ecdsaWithSha256 = sequence(der(0x06, Buffer.from("2a8648ce3d040302", "hex")))
