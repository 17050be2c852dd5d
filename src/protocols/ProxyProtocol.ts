/**
 * Before any protocol: where a connection comes from that a proxy in front of
 * this server passes on. Which proxies are believed is a setting, never a guess:
 * a header from elsewhere is not read as one.
 */
import * as Effect from "effect/Effect"
import { AuthSettings } from "../auth/Settings.ts"
import * as ClientNetwork from "../base/ClientNetwork.ts"
import type { MalformedProxyHeader, NotHeard } from "../Errors.ts"
import type { Client } from "../network/Client.ts"
import { ListenSettings } from "../network/ListenSettings.ts"
import type { Peer } from "../network/Peer.ts"
import * as ProxyProtocol from "../wire/ProxyProtocol.ts"

/** The peer as the proxy announces it; as it is where there is no proxy, or none that knows better. */
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

/** Whether it comes from where no password is needed. */
export const isTrusted = (peer: Peer): Effect.Effect<boolean, never, AuthSettings> =>
  Effect.map(AuthSettings, ({ trust }) => ClientNetwork.isIn(peer.remote, trust))
