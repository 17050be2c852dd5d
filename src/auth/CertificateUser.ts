/**
 * The user name in a client's certificate.
 */
import * as Effect from "effect/Effect"
import { CertificateRefused } from "../Errors.ts"
import type { CertificateSubject } from "../network/CertificateSubject.ts"
import { printable } from "../wire/Text.ts"

/**
 * The common name, or the whole subject where there is no common name. Refuses several common names. Also refuses a
 * name that the log would escape or cut, because two users could then have the same printable name.
 */
export const userOf = ({
  commonNames,
  whole
}: CertificateSubject): Effect.Effect<string, CertificateRefused> => {
  const refused = (reason: CertificateRefused["reason"]) =>
    Effect.fail(new CertificateRefused({ user: printable(whole), reason }))
  const [name, ...others] = commonNames
  if (others.length > 0) return refused("several common names")
  if (name !== undefined) {
    return name !== "" && printable(name) === name ? Effect.succeed(name) : refused("an unusable common name")
  }
  // Here `printable` escapes the line breaks between the parts of the subject.
  const shown = printable(whole, most)
  return shown !== "" && shown.length <= most ? Effect.succeed(shown) : refused("an unusable subject")
}

/** The most characters of a user's name. */
const most = 255
