/**
 * Asks the name servers of the settings, one kind after the other until one answers.
 */
import { Resolver } from "node:dns/promises"
import * as NetAddress from "effect/net/NetAddress"
import type * as NameServer from "../config/NameServer.ts"
import type { Queries } from "./DnsCache.ts"
import * as DnsStream from "./DnsStream.ts"

/** Milliseconds that a server has to answer. */
const patience = 2000

/** Queries to these servers. The servers of UDP are one group, in the place of the first of them. */
export const make = (servers: ReadonlyArray<NameServer.NameServer>): Queries => {
  const udp = servers.filter(({ kind }) => kind === "udp")
  const groups = servers.flatMap((server) => {
    if (server.kind !== "udp") return [DnsStream.make(server, patience)]
    return server === udp[0] ? [overUdp(udp, servers.length > udp.length ? 1 : 2)] : []
  })
  return {
    resolve4: inOrder(groups, (group, name) => group.resolve4(name, { ttl: true })),
    resolve6: inOrder(groups, (group, name) => group.resolve6(name, { ttl: true }))
  }
}

/** Queries by c-ares, which takes ports and identifiers at random, and goes to TCP for a long answer. */
const overUdp = (servers: ReadonlyArray<NameServer.NameServer>, tries: number): Queries => {
  const queries = new Resolver({ timeout: patience, tries })
  queries.setServers(
    servers.map(({ address, port }) => NetAddress.formatInet(NetAddress.inetAddressUnsafe(address, port)))
  )
  return queries
}

const inOrder =
  <A>(groups: ReadonlyArray<Queries>, ask: (group: Queries, name: string) => Promise<A>) =>
  async (name: string): Promise<A> => {
    let failure: unknown
    for (const group of groups) {
      try {
        return await ask(group, name)
      } catch (error) {
        failure = error
        // The name does not exist, or has no such address: another server would say the same.
        if (["ENOTFOUND", "ENODATA"].includes(String((error as NodeJS.ErrnoException).code))) break
      }
    }
    throw failure
  }
