/**
 * What there is to say against an address, by nothing but its bits.
 */
import * as Embedded from "./Embedded.ts"
import * as Metadata from "./Metadata.ts"
import * as SpecialPurpose from "./SpecialPurpose.ts"
import * as Words from "./Words.ts"

export interface Finding {
  /** From the least to the worst, as in `severity`. */
  readonly kind: Kind
  /** Completes the sentence "… is …". Has no address in it, which not everyone need know. */
  readonly is: string
}

export type Kind = keyof typeof severity

const severity = {
  /** Set aside for some purpose. */
  special: 1,
  /** Loopback and link-local: of this machine and its link. */
  local: 2,
  /** A cloud's metadata service. */
  metadata: 3,
  /** No host has it. */
  nobody: 4
}

/** The worst there is; nothing for an ordinary address of the Internet. */
export const classify = (words: Words.Words): Finding | undefined => {
  const own = itself(words)
  let worst: Finding | undefined
  for (const form of Embedded.formsOf(words)) {
    for (const address of form.addresses(words)) {
      const finding = itself(Words.ofIpv4(address))
      if (finding === undefined || rank(finding) <= rank(worst)) continue
      // Zeros where an address could be, but is not, say nothing.
      if (form.isAmbiguous && finding.kind !== "metadata") continue
      worst = { kind: finding.kind, is: `an address ${form.where} that is ${finding.is}` }
    }
  }
  if (worst === undefined) return own
  return rank(worst) >= rank(own) ? worst : own
}

const itself = (words: Words.Words): Finding | undefined =>
  Metadata.serviceAt(words) ?? SpecialPurpose.rangeOf(words)

const rank = (finding: Finding | undefined): number => (finding === undefined ? 0 : severity[finding.kind])
