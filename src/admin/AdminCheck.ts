/**
 * Whether an admin listener can be served by these settings: in the clear only where nobody else can listen.
 */
import * as Effect from "effect/Effect"
import * as ListenAddress from "../config/ListenAddress.ts"
import { flagName } from "../config/Setting.ts"
import { BadSetting } from "../Errors.ts"
import type { Pair } from "../network/SelfSigned.ts"
import * as Reach from "../policy/Reach.ts"
import * as TlsFiles from "../server/TlsFiles.ts"
import { printable } from "../wire/Text.ts"
import type { AdminSettings } from "./Settings.ts"

/** The certificate and its key; undefined for a listener without TLS. */
export const tls = Effect.fnUntraced(function* (
  settings: AdminSettings["Service"]
): Effect.fn.Return<Pair | undefined, BadSetting> {
  const { admin, adminTlsCert, adminTlsKey } = settings
  if (admin === undefined) {
    for (const name of ["adminTlsCert", "adminTlsKey"] as const) {
      const path = settings[name]
      if (path !== undefined) return yield* bad(name, path, "used by any listener: --admin is not set")
    }
    return undefined
  }
  if (adminTlsCert !== undefined && adminTlsKey !== undefined) {
    return yield* TlsFiles.pair(["adminTlsCert", adminTlsCert], ["adminTlsKey", adminTlsKey])
  }
  if (adminTlsCert !== undefined) {
    return yield* bad("adminTlsCert", adminTlsCert, "possible without --admin-tls-key")
  }
  if (adminTlsKey !== undefined)
    return yield* bad("adminTlsKey", adminTlsKey, "possible without --admin-tls-cert")
  if (admin._tag === "HostPort" && !Reach.isLoopback(admin.host)) {
    const expected = "possible beyond loopback without TLS, which --admin-tls-cert and --admin-tls-key give"
    return yield* bad("admin", ListenAddress.format(admin), expected)
  }
  return undefined
})

const bad = (name: keyof AdminSettings["Service"], value: string, expected: string): BadSetting =>
  new BadSetting({ setting: `--${flagName(name)}`, value: `"${printable(value)}"`, expected })
