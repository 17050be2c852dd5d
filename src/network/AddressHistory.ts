/**
 * Remembers which address of a host has worked, where it was not the first that was tried (RFC 8305 §4). So a family or
 * an address that does not work costs its delay once, and not in each session.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Layer from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import * as LruMap from "../base/LruMap.ts"

interface History {
  /** The address of this host that has worked instead of the first, for ten minutes after that. */
  readonly find: (host: string) => NetAddress.IpAddress | undefined
  /** Notes that this address has worked, and that `first` was the first in the resolver's order. */
  readonly record: (host: string, first: NetAddress.IpAddress, worked: NetAddress.IpAddress) => void
}

/** The history of a generation of the server's settings: a reload begins anew. By default nothing is remembered. */
export class AddressHistory extends Context.Reference<History>("effect-socks/network/AddressHistory", {
  defaultValue: () => ({ find: () => undefined, record: () => {} })
}) {
  static readonly layer: Layer.Layer<never> = Layer.effect(
    AddressHistory,
    Effect.clockWith((clock) => {
      const entries = LruMap.make<string, Entry | undefined>(limit)
      const current = (host: string) => {
        const entry = entries.get(host)
        return entry !== undefined && entry.until > clock.currentTimeMillisUnsafe() ? entry : undefined
      }
      return Effect.succeed({
        find: (host) => current(host)?.address,
        record: (host, first, worked) => {
          const known = current(host)
          if (Equal.equals(worked, first)) {
            if (known !== undefined) entries.set(host, undefined)
          } else if (!Equal.equals(known?.address, worked)) {
            entries.set(host, { address: worked, until: clock.currentTimeMillisUnsafe() + holdsFor })
          }
        }
      })
    })
  )
}

interface Entry {
  readonly address: NetAddress.IpAddress
  readonly until: number
}

/** The hosts used last that are kept for sure. */
const limit = 4096

/** Milliseconds. After that the first address is tried first again, as what failed may work by now. */
const holdsFor = 600_000
