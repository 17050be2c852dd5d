/**
 * Reads and checks the files of TLS listeners: at the start, and at each reload.
 */
import { createPrivateKey, X509Certificate } from "node:crypto"
import { readFile } from "node:fs/promises"
import { createSecureContext } from "node:tls"
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as ListenAddress from "../config/ListenAddress.ts"
import { flagName } from "../config/Setting.ts"
import { BadSetting } from "../Errors.ts"
import { ListenSettings } from "../network/ListenSettings.ts"
import * as SelfSigned from "../network/SelfSigned.ts"
import * as Tls from "../network/Tls.ts"
import { printable } from "../wire/Text.ts"

const names = ["tlsCert", "tlsKey", "tlsClientCa", "tlsClientCrl"] as const

export interface Loaded {
  /** The handshake of TLS listeners; undefined without TLS listeners. */
  readonly secure: Tls.Secure | undefined
  /** The certificate (PEM) that this server has made for itself, if it has. */
  readonly selfSigned: string | undefined
}

/** The name of a setting with a path. */
type Name = (typeof names)[number] | "tls" | "adminTlsCert" | "adminTlsKey"

/**
 * Reads the files of TLS listeners. Refuses TLS files without a TLS listener, because the operator probably believes
 * that connections are encrypted.
 */
export const load = Effect.gen(function* (): Effect.fn.Return<Loaded, BadSetting, ListenSettings> {
  const { listen, tls, ...paths } = yield* ListenSettings
  const { tlsCert, tlsKey, tlsClientCa, tlsClientCrl } = paths
  const first = listen.find((at) => ListenAddress.endpointOf(at)._tag === "Tls")
  if (first === undefined) {
    const unused = [
      ["tls", tls === "auto" ? tls : undefined],
      ...names.map((name) => [name, paths[name]])
    ] as const
    for (const [name, value] of unused) {
      if (value === undefined) continue
      return yield* bad(
        name as Name,
        value,
        "used by any listener: put tls: before the address of a listener"
      )
    }
    return { secure: undefined, selfSigned: undefined }
  }
  if (tls === "auto" && (tlsCert ?? tlsKey) !== undefined) {
    return yield* bad("tls", tls, "possible beside --tls-cert and --tls-key: the server makes both itself")
  }
  const { cert, key } = tls === "auto" ? yield* selfSigned(listen) : yield* fromFiles(first, tlsCert, tlsKey)
  const clientCa = tlsClientCa === undefined ? undefined : yield* pem("tlsClientCa", tlsClientCa)
  if (tlsClientCa !== undefined && clientCa !== undefined) {
    yield* parsed("tlsClientCa", tlsClientCa, "a PEM certificate", () => new X509Certificate(clientCa))
  }
  if (tlsClientCrl !== undefined && tlsClientCa === undefined) {
    return yield* bad(
      "tlsClientCrl",
      tlsClientCrl,
      "used without --tls-client-ca, whose certificates it revokes"
    )
  }
  const clientCrl = tlsClientCrl === undefined ? undefined : yield* pem("tlsClientCrl", tlsClientCrl)
  if (tlsClientCrl !== undefined && clientCrl !== undefined) {
    yield* parsed("tlsClientCrl", tlsClientCrl, "a PEM certificate revocation list", () => {
      const lists = Tls.revocationLists(clientCrl)
      if (lists.length === 0) throw new Error("none")
      createSecureContext({ crl: lists })
    })
  }
  // Remaining errors: a malformed chain, or a certificate too weak for the system's policy.
  const secure = yield* parsed("tlsCert", String(tlsCert), "a certificate that TLS accepts", () =>
    Tls.make({ cert, key, clientCa, clientCrl })
  )
  return { secure, selfSigned: tls === "auto" ? cert : undefined }
})

/** The server's own pair, for the hosts of its TLS listeners. */
const selfSigned = (listen: ListenSettings["Service"]["listen"]): Effect.Effect<SelfSigned.Pair> =>
  Effect.flatMap(SelfSigned.SelfSigned, (pairFor) => pairFor(hostsOf(listen)))

/** The hosts of TLS listeners. */
export const hostsOf = (listen: ListenSettings["Service"]["listen"]): ReadonlyArray<string> =>
  listen.flatMap((at) => {
    const endpoint = ListenAddress.endpointOf(at)
    const place = ListenAddress.placeOf(endpoint)
    return endpoint._tag === "Tls" && place._tag === "HostPort" ? [Host.formatHost(place.host)] : []
  })

const fromFiles = Effect.fnUntraced(function* (
  first: ListenAddress.ListenAddress,
  tlsCert: string | undefined,
  tlsKey: string | undefined
): Effect.fn.Return<SelfSigned.Pair, BadSetting> {
  if (tlsCert === undefined || tlsKey === undefined) {
    const expected = "possible without --tls-cert and --tls-key, or --tls auto to try it"
    return yield* bad("listen", ListenAddress.format(first), expected)
  }
  return yield* pair(["tlsCert", tlsCert], ["tlsKey", tlsKey])
})

/** A certificate and its key, from the files that two settings name. */
export const pair = Effect.fnUntraced(function* (
  [certName, certPath]: readonly [Name, string],
  [keyName, keyPath]: readonly [Name, string]
): Effect.fn.Return<SelfSigned.Pair, BadSetting> {
  const cert = yield* pem(certName, certPath)
  const certificate = yield* parsed(certName, certPath, "a PEM certificate", () => new X509Certificate(cert))
  const key = yield* pem(keyName, keyPath)
  const privateKey = yield* parsed(keyName, keyPath, "a PEM private key without a passphrase", () =>
    createPrivateKey(key)
  )
  if (!certificate.checkPrivateKey(privateKey)) {
    return yield* bad(keyName, keyPath, `the key of the certificate in "${printable(certPath)}"`)
  }
  return { cert, key }
})

const pem = (name: Name, path: string): Effect.Effect<string, BadSetting> =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (error) => bad(name, path, `a file that can be read (${(error as NodeJS.ErrnoException).code})`)
  })

const parsed = <A>(
  name: Name,
  path: string,
  expected: string,
  parse: () => A
): Effect.Effect<A, BadSetting> => Effect.try({ try: parse, catch: () => bad(name, path, expected) })

const bad = (name: Name | "listen", value: string, expected: string): BadSetting =>
  new BadSetting({ setting: `--${flagName(name)}`, value: `"${printable(value)}"`, expected })
