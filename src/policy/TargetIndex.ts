/**
 * Which of many target patterns a target meets, however many there are.
 */
import type * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as PrefixTree from "../base/PrefixTree.ts"
import * as Slices from "../base/Slices.ts"
import * as TargetPattern from "../config/TargetPattern.ts"
import type { Target } from "../wire/Target.ts"
import * as NameIndex from "./NameIndex.ts"

export interface TargetIndex {
  /**
   * Puts the positions of the patterns that a target meets behind what is found already. Networks are met by
   * the address: of a target that is one itself, or the one its name was resolved to, if that is known.
   */
  readonly match: (target: Target, address: NetAddress.IpAddress | undefined, found: Array<number>) => void
}

/** Of patterns that all differ. */
export const make = (patterns: ReadonlyArray<TargetPattern.TargetPattern>): TargetIndex =>
  Slices.runSync(making(patterns))

/** The same in pieces. */
export function* making(patterns: ReadonlyArray<TargetPattern.TargetPattern>): Slices.Work<TargetIndex> {
  const names: Array<NameIndex.Key> = []
  const networks: Array<IpNetwork.IpNetwork> = []
  // Patterns of the same host, which differ in their ports, are chained from the last of them.
  const nameEnds: Array<number> = []
  const networkEnds: Array<number> = []
  let anyEnd = -1
  const before = new Int32Array(patterns.length)
  const firstPorts = new Uint16Array(patterns.length)
  const lastPorts = new Uint16Array(patterns.length).fill(65_535)

  const known = new Map<string, number>()
  const enter = <A>(host: A, text: string, hosts: Array<A>, ends: Array<number>, pattern: number) => {
    let at = known.get(text)
    if (at === undefined) {
      at = hosts.push(host) - 1
      known.set(text, at)
    }
    before[pattern] = ends[at] ?? -1
    ends[at] = pattern
  }

  const enterName = (name: string, below: boolean, text: string, pattern: number) =>
    enter({ name, below }, text, names, nameEnds, pattern)

  yield* Slices.each(patterns, ({ host, ports }, pattern) => {
    if (ports) [firstPorts[pattern], lastPorts[pattern]] = ports
    const text = TargetPattern.format({ host })
    if (host._tag === "AnyName") enterName("", true, text, pattern)
    else if (host._tag === "Name") enterName(host.name, false, text, pattern)
    else if (host._tag === "Suffix") enterName(host.suffix, true, text, pattern)
    else if (host._tag === "Network") enter(host.network, text, networks, networkEnds, pattern)
    else {
      before[pattern] = anyEnd
      anyEnd = pattern
    }
  })

  return ready({
    names: yield* NameIndex.making(names),
    tree: yield* PrefixTree.making(networks),
    nameChains: Int32Array.from(nameEnds),
    networkChains: Int32Array.from(networkEnds),
    anyEnd,
    before,
    firstPorts,
    lastPorts
  })
}

interface Tables {
  readonly names: NameIndex.NameIndex
  readonly tree: PrefixTree.PrefixTree
  readonly nameChains: Int32Array
  readonly networkChains: Int32Array
  readonly anyEnd: number
  readonly before: Int32Array
  readonly firstPorts: Uint16Array
  readonly lastPorts: Uint16Array
}

/** Apart from where they are made, so that nothing else of that is kept. */
const ready = ({
  names,
  tree,
  nameChains,
  networkChains,
  anyEnd,
  before,
  firstPorts,
  lastPorts
}: Tables): TargetIndex => {
  const follow = (end: number, port: number, found: Array<number>) => {
    for (let at = end; at !== -1; at = before[at]!) {
      if (firstPorts[at]! <= port && port <= lastPorts[at]!) found.push(at)
    }
  }

  return {
    match: ({ host, port }, address, found) => {
      follow(anyEnd, port, found)
      const hosts: Array<number> = []
      if (!NetAddress.isIpAddress(host)) {
        names.match(host, hosts)
        for (const at of hosts) follow(nameChains[at]!, port, found)
        hosts.length = 0
      }
      const where = NetAddress.isIpAddress(host) ? (address ?? host) : address
      if (where === undefined) return
      tree.match(where, hosts)
      for (const at of hosts) follow(networkChains[at]!, port, found)
    }
  }
}
