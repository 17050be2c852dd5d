/**
 * A guarded authenticator that knows alice, and those who try.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import { AuthSettings } from "../../src/auth/Settings.ts"
import { Bans } from "../../src/bans/Bans.ts"
import { BanSettings } from "../../src/bans/Settings.ts"
import * as Hmac from "../../src/base/Hmac.ts"
import type { VerificationError } from "../../src/Errors.ts"
import * as Config from "../../src/server/Config.ts"
import { utf8 } from "./bytes.ts"

/** What a try came to; `unheard` is as good as `wrong` to who tried. */
export type Outcome = "in" | "wrong" | "unheard"

export const address = (host: string, port = 50_000) =>
  NetAddress.inetAddressUnsafe(NetAddress.ipFromStringUnsafe(host), port)

export const layer = (values: Partial<Config.Values> = {}, authenticator = alice) =>
  Layer.mergeAll(Layer.provide(Bans.layer, Hmac.layer), Config.layer(values), authenticator)

export const alice = Authenticator.layerUsers([{ name: "alice", password: Redacted.make("secret") }])

let guesses = 0

/** A password that someone gives, of a host or at a socket; another wrong one each time unless it is said. */
export const attempt = Effect.fnUntraced(function* (
  from: string | NetAddress.SocketAddress,
  password = `guess ${++guesses}`,
  username = "alice"
): Effect.fn.Return<Outcome, never, Authenticator | AuthSettings | Bans | BanSettings> {
  const { trust } = yield* AuthSettings
  const { verify } = (yield* Bans).guard(yield* Authenticator, { ...(yield* BanSettings), trust })
  const credentials = { username: utf8(username), password: utf8(password) }
  return yield* verify(credentials, typeof from === "string" ? address(from) : from).pipe(
    Effect.map((): Outcome => "in"),
    Effect.catch((error) => Effect.succeed<Outcome>(wasHeard(error) ? "wrong" : "unheard"))
  )
})

const wasHeard = (error: VerificationError): boolean =>
  error._tag === "AuthenticationFailed" &&
  (error.reason === "wrong password" || error.reason === "unknown user")

/** Whether a connection from there is let in at all. */
export const isAdmitted = Effect.fnUntraced(function* (host: string, via?: string) {
  const { admit } = yield* Bans
  return yield* Effect.isSuccess(admit({ remote: address(host), ...(via && { via: address(via) }) }))
})
