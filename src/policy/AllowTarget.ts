/**
 * Targets that are allowed although their addresses are special: a `TargetPattern`. A
 * pattern of names can begin with `local:`.
 *
 *     db.example            the addresses of this name, except loopback and link-local
 *     local:db.example      the addresses of this name, with loopback and link-local
 *     localhost             the same as local:localhost
 *     local:*:8080          every name and address, at this port
 */
import * as Option from "effect/Option"
import * as TargetPattern from "../config/TargetPattern.ts"

export interface AllowTarget extends TargetPattern.TargetPattern {
  /** Whether the names may have loopback and link-local addresses, and addresses of this machine. */
  readonly isLocal?: boolean
}

/** Parses one of the forms above. */
export const fromString = (text: string): Option.Option<AllowTarget> => {
  // A host named local can have a port: local:8080.
  const [, named] = /^local:(?![\d-]+$)(.*)$/s.exec(text) ?? []
  if (named === undefined) return TargetPattern.fromString(text)
  return TargetPattern.fromString(named).pipe(
    // A pattern of addresses needs no `local:`.
    Option.filter(({ host }) => host._tag !== "Network"),
    Option.map((pattern) => ({ ...pattern, isLocal: true }))
  )
}

/** Whether the pattern opens loopback and link-local addresses. RFC 6761 §6.3: localhost is always loopback. */
export const opensLocal = ({ isLocal = false, host }: AllowTarget): boolean => {
  if (isLocal) return true
  if (host._tag !== "Name" && host._tag !== "Suffix") return false
  return /^(?:.*\.)?localhost$/.test(host._tag === "Name" ? host.name : host.suffix)
}
