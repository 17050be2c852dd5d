/**
 * The text at the start for people at a terminal: the listeners, who may connect, and a
 * command to try.
 */
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Output from "../base/Output.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import * as CurrentListener from "../network/CurrentListener.ts"
import * as SelfSigned from "../network/SelfSigned.ts"
import { type Choice, CurrentTransport } from "../network/Transports.ts"
import * as Reach from "../policy/Reach.ts"
import * as Config from "../server/Config.ts"
import type { RunningServer } from "../server/RunningServer.ts"
import * as UnencryptedUdp from "./UnencryptedUdp.ts"

export const print = Effect.fnUntraced(function* (server: RunningServer["Service"]) {
  const { name } = yield* CurrentTransport
  Output.stdout().write(lines(server, yield* Config.values, name))
})

/** The lines that `print` prints. */
export const lines = (
  {
    listeners,
    asksPassword,
    selfSigned
  }: Pick<RunningServer["Service"], "listeners" | "asksPassword"> &
    Partial<Pick<RunningServer["Service"], "selfSigned">>,
  config: Config.Values,
  transport: Choice["name"] = "node"
): ReadonlyArray<string> => {
  const { tlsClientCa, trust, reportOnly } = config
  const user = asksPassword ? "NAME:PASSWORD@" : ""
  const certificateNote = (at: ListenAddress.ListenAddress) =>
    ListenAddress.endpointOf(at)._tag === "Tls" && tlsClientCa !== undefined
      ? ", for clients with a certificate"
      : ""
  return [
    "",
    ...listeners.map(
      (at) =>
        `  effect-socks listens on ${ListenAddress.format(at)}${certificateNote(at)}${UnencryptedUdp.noteOn(at, config)}`
    ),
    asksPassword
      ? "  and asks for a user name and a password."
      : trust.length > 0
        ? "  and lets in whoever comes from a trusted network."
        : "  and lets everyone in who can reach it.",
    ...exposureWarnings(listeners, asksPassword, config),
    ...(selfSigned === undefined
      ? []
      : [
          "  Its certificate is self-signed, for trying, and another after a restart (--tls auto). Its SHA-256 is",
          `    ${SelfSigned.fingerprint(selfSigned)}`
        ]),
    reportOnly
      ? "  Clients can go everywhere, to private addresses too: what is denied is only logged (--report-only)."
      : Reach.allowsPrivateTargets(config)
        ? "  Clients can go to private addresses, as this machine can."
        : "  Clients cannot go to private addresses (--private-targets, --allow-target).",
    ...(transport === "descriptors" ? ["  Connections are on descriptors (--transport)."] : []),
    "",
    ...listeners
      .flatMap((at) => urlOf(ListenAddress.endpointOf(at), user, CurrentListener.at(at, config).protocols))
      .map(
        (proxy) =>
          `  Try it: curl ${selfSigned && proxy.startsWith("https:") ? "--proxy-insecure " : ""}-x ${proxy} https://example.com`
      ),
    ""
  ]
}

/** Warnings if other machines can connect. */
const exposureWarnings = (
  listeners: ReadonlyArray<ListenAddress.ListenAddress>,
  asksPassword: boolean,
  { open, tlsClientCa }: Config.Values
): ReadonlyArray<string> => {
  const reachable = listeners.map(ListenAddress.endpointOf).filter((door) => {
    const place = ListenAddress.placeOf(door)
    return place._tag === "HostPort" && !Reach.isLoopback(place.host)
  })
  const isClear = reachable.some((door) => door._tag !== "Tls")
  if (asksPassword) {
    return isClear
      ? [
          "  Passwords go over the network in the clear: others on the way can read them. With TLS they cannot:",
          "    --listen tls:ADDRESS --tls-cert FILE --tls-key FILE, or --tls auto to try it"
        ]
      : []
  }
  return open && (isClear || (reachable.length > 0 && tlsClientCa === undefined))
    ? ["  Everyone who can reach it can use it, and what they do comes from this machine (--open)."]
    : []
}

/**
 * The URL of a listener for curl; empty if curl cannot use it: curl has no SOCKS over TLS, and no HTTP over Unix-domain
 * sockets.
 */
const urlOf = (
  at: ListenAddress.Endpoint,
  user: string,
  protocols: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const isTls = at._tag === "Tls"
  const place = ListenAddress.placeOf(at)
  const scheme = isTls ? "https" : protocols.includes("socks5") ? "socks5h" : "http"
  if (scheme !== "socks5h" && !protocols.includes("http")) return []
  if (place._tag === "HostPort") {
    const isAny = NetAddress.isIpAddress(place.host) && NetAddress.isUnspecified(place.host)
    const host = isAny ? "127.0.0.1" : Host.formatHost(place.host)
    return [`${scheme}://${user}${NetAddress.formatUrlHostString(host)}:${place.port}`]
  }
  return place._tag === "UnixPathAddress" && scheme === "socks5h"
    ? [`socks5h://${user}localhost${encodeURI(place.path)}`]
    : []
}
