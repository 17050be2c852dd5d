/**
 * The addresses of this machine, also its public addresses. A firewall outside the machine
 * can hide a service from the Internet, but not from connections of the machine itself,
 * and connections for clients of this server come from the machine.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import * as IpBits from "../base/IpBits.ts"
import { BadSetting } from "../Errors.ts"
import * as Interfaces from "../network/Interfaces.ts"
import { ListenSettings } from "../network/ListenSettings.ts"
import * as Reach from "./Reach.ts"
import { PolicySettings } from "./Settings.ts"

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

  /**
   * The addresses of the interfaces, for a policy of these settings. Fails if the system does not report the addresses
   * and the settings forbid clients to reach them: a server must not start then.
   */
  static readonly layer: Layer.Layer<LocalAddresses, BadSetting, ListenSettings | PolicySettings> =
    Layer.suspend(() => LocalAddresses.layerOf(Interfaces.addresses))

  /** The same, with the addresses that `read` returns. */
  static readonly layerOf = (
    read: () => Addresses
  ): Layer.Layer<LocalAddresses, BadSetting, ListenSettings | PolicySettings> =>
    Layer.effect(
      LocalAddresses,
      Effect.gen(function* () {
        const settings = { ...(yield* ListenSettings), ...(yield* PolicySettings) }
        const now = yield* Clock.currentTimeMillis
        // No decision depends on the addresses then.
        if (Reach.allowsPrivateTargets(settings)) return { has: () => false }
        return yield* Effect.try({
          try: () => LocalAddresses.make(read, now),
          catch: () =>
            new BadSetting({
              setting: "--private-targets",
              value: `"${settings.privateTargets}"`,
              expected:
                "possible here, because the system does not report this machine's addresses (AF_NETLINK); use allow"
            })
        })
      })
    )

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
