/**
 * Certificates for a test, made by openssl in a directory that goes with it.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"

/** A directory of one's own until the scope closes. */
export const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-socks-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

/** A certificate of this subject, signed by itself or by `issuer`. */
export const certificate = (
  path: string,
  name: string,
  subject: string,
  issuer?: Certificate
): Certificate => {
  const certFile = join(path, `${name}.pem`)
  const keyFile = join(path, `${name}.key`)
  const signer = issuer ? ["-CA", issuer.certFile, "-CAkey", issuer.keyFile] : []
  const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
  const files = ["-keyout", keyFile, "-out", certFile]
  execFileSync(
    "openssl",
    ["req", "-x509", ...newKey, ...signer, "-days", "2", "-subj", subject, ...names, ...files],
    {
      stdio: "ignore"
    }
  )
  return { certFile, keyFile, cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") }
}
