/**
 * What there is to say against an address, by its bits and by whether this machine has it.
 */

import * as IpBits from "../base/IpBits.ts"
import * as CloudMetadata from "./CloudMetadata.ts"
import * as EmbeddedIpv4 from "./EmbeddedIpv4.ts"
import type { LocalAddresses } from "./LocalAddresses.ts"
import * as SpecialPurpose from "./SpecialPurpose.ts"

interface Finding {
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
  /** Any other address that this machine has. */
  own: 3,
  /** A cloud's metadata service. */
  metadata: 4,
  /** No host has it. */
  nobody: 5
}

/** The worst there is; nothing for an ordinary address of the Internet. Where `local` is left out, no machine has it. */
export const classify = (
  words: IpBits.IpBits,
  local?: LocalAddresses["Service"],
  now = 0
): Finding | undefined => {
  const outer = classifyOne(words, local, now)
  let worst: Finding | undefined
  for (const form of EmbeddedIpv4.formsOf(words)) {
    for (const address of form.addresses(words)) {
      const finding = classifyOne(IpBits.ofIpv4(address), local, now)
      if (finding === undefined || rank(finding) <= rank(worst)) continue
      // Zeros where an address could be, but is not, say nothing.
      if (form.isAmbiguous && finding.kind !== "metadata" && finding.kind !== "own") continue
      worst = { kind: finding.kind, is: `an address ${form.where} that is ${finding.is}` }
    }
  }
  if (worst === undefined) return outer
  return rank(worst) >= rank(outer) ? worst : outer
}

const classifyOne = (
  words: IpBits.IpBits,
  local: LocalAddresses["Service"] | undefined,
  now: number
): Finding | undefined => {
  const service = CloudMetadata.serviceAt(words)
  if (service !== undefined) return service
  const range = SpecialPurpose.rangeOf(words)
  // Loopback and link-local addresses are this machine's by their range, and opened by it.
  if (local === undefined || (range !== undefined && range.kind !== "special")) return range
  return local.has(words, now) ? own : range
}

const own: Finding = { kind: "own", is: "this machine's own" }

const rank = (finding: Finding | undefined): number => (finding === undefined ? 0 : severity[finding.kind])
