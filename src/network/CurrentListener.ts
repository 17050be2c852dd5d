/**
 * The settings of the listener that accepted a connection: the options of that listener, and for missing options the
 * settings of all listeners. The server provides this service for each listener. So no service that all listeners share
 * can use it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ListenAddress from "../config/ListenAddress.ts"
import type * as Parsers from "../config/Parsers.ts"
import { ListenSettings } from "./ListenSettings.ts"

/**
 * The options of the listener that accepted a connection.
 *
 * **When to use**
 *
 * Use it in a service of your own that depends on the listener. The server makes it for each listener.
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
    /** The protocols that clients of the listener may speak. */
    readonly protocols: ReadonlyArray<Parsers.ProtocolName>
    /** Whether the listener's clients may use UDP ASSOCIATE. */
    readonly udp: boolean
    /** The same for CONNECT-UDP, whose datagrams TLS protects; `udp` if left out. */
    readonly capsules?: boolean
  }
>()("effect-socks/network/CurrentListener") {
  /** A listener without options of its own. */
  static readonly layer: Layer.Layer<CurrentListener, never, ListenSettings> = Layer.effect(
    CurrentListener,
    Effect.map(ListenSettings, ({ protocols, udp }) => ({ protocols, udp }))
  )
}

/** The settings of the listener at this address, where `settings` are those of all listeners. */
export const at = (
  address: ListenAddress.ListenAddress,
  settings: CurrentListener["Service"]
): CurrentListener["Service"] => {
  const { protocols = settings.protocols, udp = settings.udp } = ListenAddress.optionsOf(address)
  const { udp: capsules = settings.udp } = ListenAddress.ownOptionsOf(address)
  return { protocols, udp, capsules }
}
