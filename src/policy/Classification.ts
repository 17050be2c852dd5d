/**
 * Classifies addresses: special ranges, metadata services of clouds, and addresses of this machine.
 */

import * as IpBits from "../base/IpBits.ts"
import * as CloudMetadata from "./CloudMetadata.ts"
import * as EmbeddedIpv4 from "./EmbeddedIpv4.ts"
import type { LocalAddresses } from "./LocalAddresses.ts"
import * as SpecialPurpose from "./SpecialPurpose.ts"

interface Finding {
  /** The kind of the address: see `severity`. */
  readonly kind: Kind
  /** Completes the sentence "… is …". Does not contain the address, because clients see the sentence. */
  readonly is: string
}

export type Kind = keyof typeof severity

const severity = {
  /** In a range for a special purpose. */
  special: 1,
  /** Loopback or link-local. */
  local: 2,
  /** Another address of this machine. */
  own: 3,
  /** The metadata service of a cloud. */
  metadata: 4,
  /** No host has the address: multicast, broadcast, unspecified. */
  nobody: 5
}

/**
 * The most severe finding about an address and the IPv4 addresses embedded in it; undefined for an ordinary address.
 * Without `local`, no address counts as one of this machine.
 */
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
      // One of several places may have the embedded address, so only severe findings count.
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
  // Loopback and link-local addresses keep the kind of their range.
  if (local === undefined || (range !== undefined && range.kind !== "special")) return range
  return local.has(words, now) ? own : range
}

const own: Finding = { kind: "own", is: "this machine's own" }

const rank = (finding: Finding | undefined): number => (finding === undefined ? 0 : severity[finding.kind])
