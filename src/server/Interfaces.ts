/**
 * The network interfaces of this machine, as the system has them at the moment.
 */
import { networkInterfaces } from "node:os"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import { BadSetting } from "../Errors.ts"
import { ListenSettings } from "../network/ListenSettings.ts"
import { fromNode } from "../network/NodeAddress.ts"
import { LocalAddresses } from "../policy/LocalAddresses.ts"
import * as Reach from "../policy/Reach.ts"
import { PolicySettings } from "../policy/Settings.ts"

/** All addresses of all interfaces. Throws where the system does not tell. */
export const addresses = (): ReadonlyArray<NetAddress.IpAddress> =>
  Object.values(networkInterfaces()).flatMap((all = []) =>
    all.map(({ address }) => fromNode(address, 0).address)
  )

/**
 * The addresses that this machine has. Where clients must not reach them and the
 * system does not tell them, the server does not start.
 */
export const layerOf = (
  read: () => ReadonlyArray<NetAddress.IpAddress>
): Layer.Layer<LocalAddresses, BadSetting, ListenSettings | PolicySettings> =>
  Layer.effect(
    LocalAddresses,
    Effect.gen(function* () {
      const settings = { ...(yield* ListenSettings), ...(yield* PolicySettings) }
      const now = yield* Clock.currentTimeMillis
      // No decision depends on them then.
      if (Reach.allowsPrivateTargets(settings)) return { has: () => false }
      return yield* Effect.try({
        try: () => LocalAddresses.make(read, now),
        catch: () =>
          new BadSetting({
            setting: "--private-targets",
            value: `"${settings.privateTargets}"`,
            expected:
              "possible here, as the system does not tell this machine's addresses (AF_NETLINK); allow is"
          })
      })
    })
  )

export const layer: Layer.Layer<LocalAddresses, BadSetting, ListenSettings | PolicySettings> =
  layerOf(addresses)
