/**
 * The service that authenticates clients, and its implementations.
 *
 * Where there are users, clients must log in, whatever methods they offer. Only clients with a certificate and clients
 * of trusted networks need no login.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Parsers from "../config/Parsers.ts"
import {
  AuthenticationFailed,
  BadSetting,
  type CertificateRefused,
  type VerificationError
} from "../Errors.ts"
import { type Credentials, Method } from "../wire/Socks5.ts"
import { printable } from "../wire/Text.ts"
import * as AuthService from "./AuthService.ts"
import * as Hashing from "./Hashing.ts"
import type { Identity } from "./Identity.ts"
import { PasswordHashes } from "./PasswordHashes.ts"
import * as PasswordLogin from "./PasswordLogin.ts"
import { AuthSettings } from "./Settings.ts"
import type { User } from "./User.ts"
import { Users } from "./Users.ts"

export type { Identity } from "./Identity.ts"

/**
 * Authenticates clients: the accepted methods, and the check of credentials.
 *
 * **When to use**
 *
 * Replace it to ask a database or a directory of yours; or provide one of its layers: `layerUsers`, `layerHttp`,
 * `layerAnyone`, `layerDenyAll`, and `layerFirstOf` for several of them.
 *
 * **Example** (Own users first, then a web service)
 *
 * ```ts
 * import { Layer, Redacted } from "effect"
 * import { Authenticator, Server } from "effect-socks"
 *
 * const users = Authenticator.layerUsers([{ name: "admin", password: Redacted.make("secret") }])
 * const service = Authenticator.layerHttp({ url: "https://auth.example/check" })
 *
 * const ProxyLive = Server.layer().pipe(Layer.provide(Authenticator.layerFirstOf([users, service])))
 * ```
 */
export class Authenticator extends Context.Service<
  Authenticator,
  {
    /**
     * The accepted methods, the preferred one first (RFC 1928 §3). Empty where clients need a certificate or a trusted
     * network.
     */
    readonly methods: ReadonlyArray<Method>
    /**
     * Verifies credentials, and returns their identity. `from` is the client's address. An unknown user must take as
     * long as a wrong password. Called only if `methods` has a method with credentials.
     */
    readonly verify: (
      credentials: Credentials,
      from: NetAddress.SocketAddress
    ) => Effect.Effect<Identity, VerificationError>
    /**
     * The identity of the user with this printable name, without a password: for a name that a certificate or an
     * earlier `verify` proved. Undefined for an unknown name; left out where the authenticator cannot look up names.
     */
    readonly recognize?: (
      name: string,
      from: NetAddress.SocketAddress
    ) => Effect.Effect<Identity | undefined, CertificateRefused>
    /** Emits when the result of `recognize` may have changed; left out where the result never changes. */
    readonly changes?: Stream.Stream<unknown>
  }
>()("effect-socks/auth/Authenticator") {
  /** Allows every client, without authentication. */
  static readonly layerAnyone = Layer.succeed(Authenticator, {
    methods: [Method.NoAuthentication],
    verify: ({ username }) => unknown(username)
  })

  /** Allows only clients that have a certificate or come from a trusted network. */
  static readonly layerDenyAll = Layer.succeed(Authenticator, {
    methods: [],
    verify: ({ username }) => unknown(username)
  })

  /** Allows these users, whose passwords are in plain text. */
  static readonly layerUsers = (
    users: ReadonlyArray<Omit<User, "passwordHash"> & { readonly password: Redacted.Redacted }>
  ): Layer.Layer<Authenticator> =>
    Authenticator.layerDirectory.pipe(
      // Never called: none of these users has a hash.
      Layer.provide([
        Users.layerFixed(users),
        Layer.succeed(PasswordHashes, { digest: () => "", verify: () => Effect.succeed(false) })
      ])
    )

  /** Allows the users of the `Users` service. */
  static readonly layerDirectory: Layer.Layer<Authenticator, never, Users | PasswordHashes> = Layer.effect(
    Authenticator,
    Effect.zipWith(PasswordLogin.make, Users, (login, { changes }) => ({
      methods: [Method.UsernamePassword],
      ...login,
      ...(changes && { changes })
    }))
  )

  /**
   * Allows the users that an HTTP service of the operator allows: see `AuthService`. Fails for a URL that passwords
   * must not be sent to: `http:` is for this machine, unless `insecure:` stands before the URL.
   */
  static readonly layerHttp = (options: AuthService.Options): Layer.Layer<Authenticator, BadSetting> =>
    Layer.unwrap(
      Option.match(Parsers.serviceUrl(options.url), {
        onNone: () =>
          // The error does not show the URL, which may be refused because it has a password.
          Effect.fail(new BadSetting({ setting: "url", value: "what was given", expected: expectedUrl })),
        onSome: (url) => Effect.succeed(layerService({ ...options, url }))
      })
    ).pipe(Layer.provide(Hashing.layer))

  /**
   * The first of these authenticators that knows a user decides about that user. The time of a login may reveal which
   * authenticator decided.
   */
  static readonly layerFirstOf = <E, R>(
    layers: ReadonlyArray<Layer.Layer<Authenticator, E, R>>
  ): Layer.Layer<Authenticator, E, R> =>
    Layer.effect(
      Authenticator,
      Effect.map(
        Effect.forEach(layers, (layer) =>
          Effect.map(Layer.build(layer), (context) => Context.get(context, Authenticator))
        ),
        first
      )
    )

  /**
   * The authenticator of the configuration: its users, then its authentication service. Without
   * either, clients of trusted networks are allowed; without trusted networks, all clients.
   */
  static readonly layer: Layer.Layer<Authenticator, never, AuthSettings | Users | PasswordHashes> =
    Layer.unwrap(
      Effect.map(AuthSettings, (settings) => {
        const { user, users, usersFile, authUrl, trust } = settings
        if (user.length + users.length > 0 || usersFile !== undefined)
          return Authenticator.layerListed(settings)
        if (authUrl !== undefined) return layerServiceOf(authUrl, settings)
        return trust.length > 0 ? Authenticator.layerDenyAll : Authenticator.layerAnyone
      })
    )

  /** Allows the users of the `Users` service, even if it has none, and then those of the authentication service. */
  static readonly layerListed = (
    settings: AuthSettings["Service"]
  ): Layer.Layer<Authenticator, never, Users | PasswordHashes> =>
    settings.authUrl === undefined
      ? Authenticator.layerDirectory
      : Authenticator.layerFirstOf<never, Users | PasswordHashes>([
          Authenticator.layerDirectory,
          layerServiceOf(settings.authUrl, settings)
        ])
}

const layerService = (options: AuthService.Options): Layer.Layer<Authenticator, never, PasswordHashes> =>
  Layer.effect(
    Authenticator,
    Effect.map(AuthService.make(options), (verify) => ({ methods: [Method.UsernamePassword], verify }))
  )

const layerServiceOf = (url: string, { authToken }: AuthSettings["Service"]) =>
  layerService({ url, token: authToken })

const { expected: expectedUrl } = AuthSettings.table.authUrl

const unknown = (username: Uint8Array) =>
  Effect.fail(new AuthenticationFailed({ user: printable(username), reason: "unknown user" }))

const first = (all: ReadonlyArray<Authenticator["Service"]>): Authenticator["Service"] => ({
  methods: preferred.filter((method) => all.some(({ methods }) => methods.includes(method))),
  verify: (credentials, from) =>
    all
      .filter(({ methods }) => methods.includes(Method.UsernamePassword))
      .reduce<Effect.Effect<Identity, VerificationError>>(
        (before, { verify }) =>
          Effect.catchTag(before, "AuthenticationFailed", (error) =>
            error.reason === "unknown user" ? verify(credentials, from) : Effect.fail(error)
          ),
        unknown(credentials.username)
      ),
  recognize: Effect.fnUntraced(function* (name, from) {
    for (const { recognize } of all) {
      const identity = yield* recognize?.(name, from) ?? Effect.undefined
      if (identity !== undefined) return identity
    }
    return undefined
  }),
  changes: Stream.mergeAll(
    all.map(({ changes = Stream.empty }) => changes),
    { concurrency: "unbounded" }
  )
})

const preferred = [Method.UsernamePassword, Method.NoAuthentication]
