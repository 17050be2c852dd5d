/**
 * Certificates for a test, made by openssl.
 */
import { execFileSync } from "node:child_process"
import { X509Certificate } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

/**
 * The revocation list of an authority (PEM), which has these certificates on it. It holds for a day, or was to be
 * followed by another one years ago.
 */
export const revocationList = (
  path: string,
  issuer: Certificate,
  revoked: ReadonlyArray<Certificate>,
  { isOld = false } = {}
): string => {
  const index = join(path, "index.txt")
  const config = join(path, "ca.cnf")
  const serial = ({ cert }: Certificate) => new X509Certificate(cert).serialNumber
  writeFileSync(
    index,
    revoked.map((each) => `R\t490101000000Z\t260101000000Z\t${serial(each)}\tunknown\t/CN=revoked\n`).join("")
  )
  writeFileSync(config, `[ca]\ndefault_ca = it\n[it]\ndatabase = ${index}\ndefault_md = sha256\n`)
  const times = isOld
    ? ["-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200102000000Z"]
    : ["-crldays", "1"]
  const signer = ["-cert", issuer.certFile, "-keyfile", issuer.keyFile]
  return execFileSync("openssl", ["ca", "-config", config, "-gencrl", ...signer, ...times], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"]
  })
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

/** By subject and issuer: to make one takes longer than most tests. */
const made = new Map<string, Pick<Certificate, "cert" | "key">>()

/** A certificate of this subject, signed by itself or by `issuer`, always the same one. */
export const certificate = (
  path: string,
  name: string,
  subject: string,
  issuer?: Certificate
): Certificate => {
  const certFile = join(path, `${name}.pem`)
  const keyFile = join(path, `${name}.key`)
  const place = `${subject} ${issuer?.cert}`
  const known = made.get(place)
  if (known) {
    writeFileSync(certFile, known.cert)
    writeFileSync(keyFile, known.key, { mode: 0o600 })
    return { certFile, keyFile, ...known }
  }
  const signer = issuer ? ["-CA", issuer.certFile, "-CAkey", issuer.keyFile] : []
  const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
  const files = ["-keyout", keyFile, "-out", certFile]
  execFileSync(
    "openssl",
    ["req", "-x509", "-utf8", ...newKey, ...signer, "-days", "2", "-subj", subject, ...names, ...files],
    { stdio: "ignore" }
  )
  const texts = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") }
  made.set(place, texts)
  return { certFile, keyFile, ...texts }
}
