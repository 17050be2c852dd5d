/**
 * The addresses of this machine's network interfaces.
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

/** The present addresses of all interfaces. Throws if the system does not report them. */
export const addresses = (): ReadonlyArray<NetAddress.IpAddress> =>
  Object.values(networkInterfaces()).flatMap((all = []) =>
    all.map(({ address }) => fromNode(address, 0).address)
  )

/**
 * The service that knows this machine's addresses. Fails if the system does not report the addresses and the settings
 * forbid clients to reach them: the server must not start then.
 */
export const layerOf = (
  read: () => ReadonlyArray<NetAddress.IpAddress>
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

export const layer: Layer.Layer<LocalAddresses, BadSetting, ListenSettings | PolicySettings> =
  layerOf(addresses)
