/**
 * The settings of the admin listener.
 */
import type * as Host from "effect/net/Host"
import type * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as ListenAddress from "../config/ListenAddress.ts"
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"

/** The address of an admin listener. */
export type AdminAddress = Host.HostPort | NetAddress.UnixPathAddress

/** `HOST:PORT` or `unix:/PATH`. */
export const address = (text: string): Option.Option<AdminAddress> =>
  Option.flatMap(ListenAddress.fromString(text), (at) =>
    at._tag === "HostPort" || at._tag === "UnixPathAddress" ? Option.some(at) : Option.none()
  )

export class AdminSettings extends Section.make<AdminSettings>()("effect-socks/admin/Settings", {
  admin: Setting.startOnly(
    Setting.single<AdminAddress | undefined>({
      description:
        "Address of the admin listener: unix:/PATH, whose socket only this user may open, or HOST:PORT. It has the " +
        "API, metrics, health and the dashboard at /ui, and is off by default. Beyond loopback it takes " +
        "--admin-tls-cert",
      metavar: "ADDRESS",
      read: address,
      expected: "HOST:PORT or unix:/PATH",
      json: { type: "string", pattern: ":" },
      default: undefined,
      defaultText: "none"
    })
  ),
  adminToken: Setting.startOnly(
    Setting.single<Redacted.Redacted | undefined>({
      description:
        "Bearer token of the admin listener. Without this setting the server makes a token, and keeps it in a file that only " +
        "its user may read: STATE_DIR/admin-token, PATH.token beside a socket, or " +
        "~/.local/state/effect-socks/admin-token",
      metavar: "TOKEN",
      read: (text) => (/^[\w.~+/-]{1,512}=*$/.test(text) ? Option.some(Redacted.make(text)) : Option.none()),
      expected: "a bearer token (RFC 6750): letters, digits and - . _ ~ + /",
      default: undefined,
      defaultText: "one that the server makes",
      isSecret: true
    })
  ),
  adminTlsCert: Setting.file(
    "Certificate of the admin listener, followed by its chain (PEM), for TLS. Read again when it changes"
  ),
  adminTlsKey: Setting.file("Private key of that certificate (PEM, without a passphrase)")
}) {}
