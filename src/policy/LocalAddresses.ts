/**
 * The addresses of this machine, public ones too. A service on them that a firewall
 * outside hides from the Internet is open to connections from the machine itself, those
 * for clients of this server included.
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import * as IpBits from "../base/IpBits.ts"

/** Milliseconds before the addresses are read again, which costs more than many decisions. */
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
   * Those that `read` gives: it is called now, so what it throws is thrown, and
   * again when somebody asks and the last time is 5 seconds ago. Where it fails
   * then, the machine keeps the addresses that it had.
   */
  static readonly make = (read: () => Addresses, now: number): LocalAddresses["Service"] => {
    let table = tableOf(read())
    let readAt = now
    return {
      has: (words, now) => {
        // A clock that was set back is no reason to wait for the time that it had.
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

  /** Always these: for tests, and for embedders that know. */
  static readonly layerFixed = (addresses: Addresses): Layer.Layer<LocalAddresses> =>
    Layer.sync(LocalAddresses, () => {
      const table = tableOf(addresses)
      return { has: (words) => has(table, words) }
    })
}

type Addresses = ReadonlyArray<NetAddress.IpAddress>

/** By their last word, which tells nearly all from one another, and is a number, which costs nothing to look up. */
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
