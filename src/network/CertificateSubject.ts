/**
 * The subject of a client's certificate, as a TLS handshake has verified it.
 */
export interface CertificateSubject {
  /** As they are in the certificate: with NUL and line breaks, if the certificate has some. */
  readonly commonNames: ReadonlyArray<string>
  /** All of the subject, as text for people, in which control bytes are escaped. */
  readonly whole: string
}
