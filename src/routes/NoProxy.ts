/**
 * Targets that are reached without the upstream, as the environment variable NO_PROXY of other programs names them:
 *
 *     corp.example        this name, and the names below it
 *     .corp.example       the names below it only, as *.corp.example
 *     10.0.0.0/8          the addresses of this network
 *     192.0.2.1           this address
 *     *                   everything
 *     …:8080              any of these, at this port only
 */

import * as IpNetwork from "effect/net/IpNetwork"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Option from "effect/Option"
import * as TargetPattern from "../config/TargetPattern.ts"
import type { Target } from "../wire/Target.ts"

/** Completes the sentence "… is not …". */
export const expected =
  "a name such as corp.example, which includes the names below it, .corp.example for these only, a network, an " +
  "address or *, each with or without :PORT behind it"

/** Parses one of the forms above. */
export const fromString = (text: string): Option.Option<TargetPattern.TargetPattern> =>
  TargetPattern.fromString(text.startsWith(".") ? `*${text}` : text)

/** Whether a target is reached without the upstream at this judged address. */
export const includes = (
  patterns: ReadonlyArray<TargetPattern.TargetPattern>,
  { host, port }: Target,
  address: NetAddress.IpAddress
): boolean =>
  patterns.some(
    (pattern) =>
      TargetPattern.matchesPort(pattern, port) &&
      (hasAddress(pattern.host, address) || (typeof host === "string" && hasName(pattern.host, host)))
  )

const hasName = (pattern: TargetPattern.HostPattern, name: string): boolean =>
  TargetPattern.matchesName(pattern, name) || (pattern._tag === "Name" && name.endsWith(`.${pattern.name}`))

const hasAddress = (pattern: TargetPattern.HostPattern, address: NetAddress.IpAddress): boolean =>
  pattern._tag === "Any" || (pattern._tag === "Network" && IpNetwork.contains(pattern.network, address))
