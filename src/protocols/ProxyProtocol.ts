/**
 * Reads the PROXY header of a proxy in front of this server, before any protocol. Only proxies in the setting
 * `proxyProtocolFrom` are trusted: a header from elsewhere is never read as a header.
 */
import * as Effect from "effect/Effect"
import { AuthSettings } from "../auth/Settings.ts"
import * as ClientNetwork from "../base/ClientNetwork.ts"
import type { MalformedProxyHeader, NotHeard } from "../Errors.ts"
import type { Client } from "../network/Client.ts"
import { ListenSettings } from "../network/ListenSettings.ts"
import type { Peer } from "../network/Peer.ts"
import * as ProxyProtocol from "../wire/ProxyProtocol.ts"

/** The peer of the connection, with the client's address in the PROXY header if there is one. */
export const run = (
  client: Client,
  peer: Peer
): Effect.Effect<Peer, NotHeard | MalformedProxyHeader, ListenSettings> =>
  Effect.flatMap(ListenSettings, ({ proxyProtocolFrom }) =>
    ClientNetwork.isIn(peer.remote, proxyProtocolFrom)
      ? Effect.map(client.read(ProxyProtocol.header), (source) =>
          source ? { ...peer, remote: source, via: peer.remote } : peer
        )
      : Effect.succeed(peer)
  )

/** Whether the client's network needs no password. */
export const isTrusted = (peer: Peer): Effect.Effect<boolean, never, AuthSettings> =>
  Effect.map(AuthSettings, ({ trust }) => ClientNetwork.isIn(peer.remote, trust))
