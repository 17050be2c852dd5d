/**
 * The addresses of this machine, also its public addresses. A firewall outside the machine
 * can hide a service from the Internet, but not from connections of the machine itself,
 * and connections for clients of this server come from the machine.
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import * as IpBits from "../base/IpBits.ts"

/** Milliseconds for which the addresses are kept: reading them costs more than many decisions. */
const holdsFor = 5000

/**
 * Which addresses are this machine's own, for the policy.
 *
 * **When to use**
 *
 * Provide one where the interfaces of the system do not tell, as behind NAT, or in tests.
 *
 * **Example** (An address that the machine does not know)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { NetAddress } from "effect/net"
 * import { LocalAddresses, Server } from "effect-socks"
 *
 * const Own = LocalAddresses.layerFixed([NetAddress.ipFromStringUnsafe("203.0.113.5")])
 *
 * const ProxyLive = Server.layer({ listen: "0.0.0.0:1080", open: true }).pipe(Layer.provide(Own))
 * ```
 */
export class LocalAddresses extends Context.Service<
  LocalAddresses,
  {
    /** Whether the machine has this address, at a time in milliseconds since the epoch. */
    readonly has: (words: IpBits.IpBits, now: number) => boolean
  }
>()("effect-socks/policy/LocalAddresses") {
  /**
   * The addresses that `read` returns. `read` is called now, and its error is thrown. Later it is called again by a
   * look-up after 5 seconds; if it fails then, the earlier addresses stay.
   */
  static readonly make = (read: () => Addresses, now: number): LocalAddresses["Service"] => {
    let table = tableOf(read())
    let readAt = now
    return {
      has: (words, now) => {
        // Also reads if the clock was set back.
        if (now < readAt || now - readAt >= holdsFor) {
          readAt = now
          try {
            table = tableOf(read())
          } catch {}
        }
        return has(table, words)
      }
    }
  }

  /** Fixed addresses: for tests, and for apps that know the addresses. */
  static readonly layerFixed = (addresses: Addresses): Layer.Layer<LocalAddresses> =>
    Layer.sync(LocalAddresses, () => {
      const table = tableOf(addresses)
      return { has: (words) => has(table, words) }
    })
}

type Addresses = ReadonlyArray<NetAddress.IpAddress>

/** The addresses by their last word, which differs between nearly all addresses. */
type Table = ReadonlyMap<number, ReadonlyArray<IpBits.IpBits>>

const tableOf = (addresses: Addresses): Table => {
  const table = new Map<number, Array<IpBits.IpBits>>()
  for (const words of addresses.map(IpBits.ofAddress)) {
    const same = table.get(words.w3)
    if (same === undefined) table.set(words.w3, [words])
    else same.push(words)
  }
  return table
}

const has = (table: Table, words: IpBits.IpBits): boolean => {
  const candidates = table.get(words.w3)
  if (candidates === undefined) return false
  for (const { isIpv4, w0, w1, w2 } of candidates) {
    if (isIpv4 === words.isIpv4 && w0 === words.w0 && w1 === words.w1 && w2 === words.w2) return true
  }
  return false
}
