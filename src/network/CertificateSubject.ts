/**
 * The subject of a client's certificate, as a TLS handshake has verified it.
 */
export interface CertificateSubject {
  /** The common names, unescaped: they can have NUL and line breaks. */
  readonly commonNames: ReadonlyArray<string>
  /** The whole subject as text, with control bytes escaped. */
  readonly whole: string
}
