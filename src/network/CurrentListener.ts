/**
 * The settings of the listener that a connection came in by: its own options, and where it has none, those of all
 * listeners. Made in the server for each listener, so that no service that all listeners share can hold it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ListenAddress from "../config/ListenAddress.ts"
import type * as Parsers from "../config/Parsers.ts"
import { ListenSettings } from "./ListenSettings.ts"

/**
 * The options of the listener that a connection came in by.
 *
 * **When to use**
 *
 * Use it in a service of your own that goes by them. The server makes it for each listener.
 *
 * **Example** (Whether datagrams are relayed)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CurrentListener } from "effect-socks"
 *
 * const relaysDatagrams = Effect.map(CurrentListener, ({ udp }) => udp)
 * ```
 */
export class CurrentListener extends Context.Service<
  CurrentListener,
  {
    /** The protocols that clients may speak here. */
    readonly protocols: ReadonlyArray<Parsers.ProtocolName>
    /** Whether datagrams of its clients are relayed. */
    readonly udp: boolean
  }
>()("effect-socks/network/CurrentListener") {
  /** A listener without options of its own. */
  static readonly layer: Layer.Layer<CurrentListener, never, ListenSettings> = Layer.effect(
    CurrentListener,
    Effect.map(ListenSettings, ({ protocols, udp }) => ({ protocols, udp }))
  )
}

/** What holds for a listener at this address, of these settings. */
export const at = (
  address: ListenAddress.ListenAddress,
  settings: CurrentListener["Service"]
): CurrentListener["Service"] => {
  const { protocols = settings.protocols, udp = settings.udp } = ListenAddress.optionsOf(address)
  return { protocols, udp }
}
