/**
 * What there is to say against an address, by nothing but its bits.
 */
import * as Embedded from "./Embedded.ts"
import * as Metadata from "./Metadata.ts"
import * as SpecialPurpose from "./SpecialPurpose.ts"
import * as Words from "./Words.ts"

export interface Finding {
  /** From the least to the worst: set aside for some purpose; a cloud's metadata service; no host at all. */
  readonly kind: "special" | "metadata" | "nobody"
  /** Completes the sentence "… is …". Has no address in it, which not everyone need know. */
  readonly is: string
}

/** The worst there is; nothing for an ordinary address of the Internet. */
export const classify = (words: Words.Words): Finding | undefined => {
  const own = itself(words)
  const form = Embedded.formOf(words)
  if (form === undefined) return own
  let worst: Finding | undefined
  for (const address of form.addresses(words)) {
    const finding = itself(Words.ofIpv4(address))
    if (finding === undefined || rank(finding) <= rank(worst)) continue
    // Zeros where an address could be, but is not, say nothing.
    if (form.isAmbiguous && finding.kind !== "metadata") continue
    worst = { kind: finding.kind, is: `an address ${form.where} that is ${finding.is}` }
  }
  return rank(worst) >= rank(own) ? worst : own
}

const itself = (words: Words.Words): Finding | undefined =>
  Metadata.serviceAt(words) ?? SpecialPurpose.rangeOf(words)

const rank = (finding: Finding | undefined): number =>
  finding === undefined ? 0 : finding.kind === "special" ? 1 : finding.kind === "metadata" ? 2 : 3
