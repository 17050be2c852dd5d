/**
 * Who may come in.
 *
 * The server prefers a password wherever one is asked: with users configured,
 * "no authentication" is never chosen, in whatever order a client offers it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import { Config } from "../config/Config.ts"
import type { Limits } from "../config/Limits.ts"
import type { User } from "../config/User.ts"
import { AuthenticationFailed } from "../Errors.ts"
import { type Credentials, Method } from "../wire/Socks5.ts"
import { printable } from "../wire/Text.ts"

/** Someone let in. */
export interface Identity {
  /** Printable; nothing for a client that was not asked who it is. */
  readonly user: string | undefined
  readonly groups?: ReadonlyArray<string>
  /** What beats the limits of the settings. */
  readonly limits?: Limits
}

export class Authenticator extends Context.Service<
  Authenticator,
  {
    /** The methods accepted, the most wanted first (RFC 1928 §3). */
    readonly methods: ReadonlyArray<Method>
    /**
     * Whose credentials these are, of a client there. Takes as long for a user who does not exist as
     * for a wrong password, and fails alike. Asked only with a method that has any.
     */
    readonly verify: (
      credentials: Credentials,
      from: NetAddress.SocketAddress
    ) => Effect.Effect<Identity, AuthenticationFailed>
  }
>()("effect-socks/policy/Authenticator") {
  /** Lets everyone in, unasked. */
  static readonly anyone = Layer.succeed(Authenticator, {
    methods: [Method.NoAuthentication],
    verify: ({ username }) => Effect.fail(new AuthenticationFailed({ user: printable(username) }))
  })

  /** Lets these users in by their passwords. */
  static readonly users = (users: ReadonlyArray<User>): Layer.Layer<Authenticator> => {
    const table = new Map(
      users.flatMap(({ name, password }) =>
        password ? [[key(utf8.encode(name)), field(utf8.encode(Redacted.value(password)))] as const] : []
      )
    )
    return Layer.succeed(Authenticator, {
      methods: [Method.UsernamePassword],
      verify: ({ username, password }) =>
        Effect.suspend(() => {
          const expected = table.get(key(username))
          // Compares for an unknown user too, so that both take equally long.
          const isSame = equal(field(password), expected ?? noPassword)
          const user = printable(username)
          return expected !== undefined && isSame
            ? Effect.succeed({ user })
            : Effect.fail(new AuthenticationFailed({ user }))
        })
    })
  }

  /** The users of the configuration; anyone, if it names none. */
  static readonly layer: Layer.Layer<Authenticator, never, Config> = Layer.unwrap(
    Effect.map(Config, ({ user }) => (user.length === 0 ? Authenticator.anyone : Authenticator.users(user)))
  )
}

const utf8 = new TextEncoder()

/** Bytes as a map key, one character each, so that no two names meet in one. */
const key = (bytes: Uint8Array): string => String.fromCharCode(...bytes)

/** Up to 255 bytes as 256 of them, the length first: all passwords compare alike, with NULs in them or not. */
const field = (bytes: Uint8Array): Uint8Array => {
  const padded = new Uint8Array(256)
  padded[0] = bytes.length
  padded.set(bytes.subarray(0, 255), 1)
  return padded
}

/** Length 0, which no client can send. */
const noPassword = field(new Uint8Array(0))

/** Looks at every byte, wherever the first difference is. */
const equal = (one: Uint8Array, other: Uint8Array): boolean => {
  let difference = 0
  for (let i = 0; i < 256; i++) difference |= one[i]! ^ other[i]!
  return difference === 0
}
