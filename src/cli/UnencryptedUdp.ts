/**
 * What is to be said of datagrams at listeners where TLS protects all else.
 */

import * as ListenAddress from "../config/ListenAddress.ts"
import * as CurrentListener from "../network/CurrentListener.ts"

/** Whether the datagrams of a listener's clients are relayed in the clear although it has TLS. */
export const isAt = (
  at: ListenAddress.ListenAddress,
  settings: CurrentListener.CurrentListener["Service"]
): boolean => isSocksOverTls(at, settings) && ListenAddress.optionsOf(at).udp === true

/** What is said behind a listener's address: nothing where there is nothing to say. */
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
