/**
 * Targets that are opened although they are special: a `TargetPattern`, before
 * which `local:` can stand if it is of names.
 *
 *     db.example            what this name leads to, but for loopback and link-local
 *     local:db.example      and those
 *     localhost             names of loopback, which say so themselves
 *     local:*:8080          every name and address, at this port
 */
import * as Option from "effect/Option"
import * as TargetPattern from "../config/TargetPattern.ts"

export interface AllowTarget extends TargetPattern.TargetPattern {
  /** Its names may lead to this machine and its link. */
  readonly isLocal?: boolean
}

/** One of the forms above; nothing for any other text. */
export const fromString = (text: string): Option.Option<AllowTarget> => {
  // A host of this name still can have a port.
  const [, named] = /^local:(?![\d-]+$)(.*)$/s.exec(text) ?? []
  if (named === undefined) return TargetPattern.fromString(text)
  return TargetPattern.fromString(named).pipe(
    // An address says already what it opens.
    Option.filter(({ host }) => host._tag !== "Network"),
    Option.map((pattern) => ({ ...pattern, isLocal: true }))
  )
}

/** Whether what it has for a host opens loopback and link-local addresses. RFC 6761 §6.3: localhost is always that. */
export const opensLocal = ({ isLocal = false, host }: AllowTarget): boolean => {
  if (isLocal) return true
  if (host._tag !== "Name" && host._tag !== "Suffix") return false
  return /^(?:.*\.)?localhost$/.test(host._tag === "Name" ? host.name : host.suffix)
}
