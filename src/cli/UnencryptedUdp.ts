/**
 * Notes on datagrams of TLS listeners, which TLS does not protect.
 */

import * as ListenAddress from "../config/ListenAddress.ts"
import * as CurrentListener from "../network/CurrentListener.ts"

/** Whether a listener has TLS and relays datagrams, which are not encrypted. */
export const isAt = (
  at: ListenAddress.ListenAddress,
  settings: CurrentListener.CurrentListener["Service"]
): boolean => isSocksOverTls(at, settings) && ListenAddress.optionsOf(at).udp === true

/** The note after a listener's address; empty for a listener without TLS or without datagrams. */
export const noteOn = (
  at: ListenAddress.ListenAddress,
  settings: CurrentListener.CurrentListener["Service"]
): string => {
  if (isAt(at, settings)) return ", with UDP in the clear (udp=true)"
  return settings.udp && isSocksOverTls(at, settings)
    ? ", without UDP, which TLS does not protect (?udp=true)"
    : ""
}

/** Only SOCKS5 has datagrams. */
const isSocksOverTls = (
  at: ListenAddress.ListenAddress,
  settings: CurrentListener.CurrentListener["Service"]
): boolean => {
  const { protocols } = CurrentListener.at(at, settings)
  return ListenAddress.endpointOf(at)._tag === "Tls" && protocols.includes("socks5")
}
