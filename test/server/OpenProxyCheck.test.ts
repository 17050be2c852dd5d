/**
 * Which listeners are refused because everyone could use them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import * as ListenAddress from "../../src/config/ListenAddress.ts"
import * as Config from "../../src/server/Config.ts"
import * as OpenProxyCheck from "../../src/server/OpenProxyCheck.ts"
import { Method } from "../../src/wire/Socks5.ts"

const check = (
  listen: string,
  values: Partial<Config.Values> = {},
  methods: ReadonlyArray<number> = [Method.NoAuthentication],
  mode = 0o600
) => {
  const at = ListenAddress.endpointOf(Option.getOrThrow(ListenAddress.fromString(listen)))
  return OpenProxyCheck.check(at, () => mode).pipe(
    Effect.as("fine"),
    Effect.catch(({ address }) => Effect.succeed(`refused: ${address}`)),
    Effect.provide(Layer.merge(Config.layer(values), Layer.succeed(Authenticator, { methods } as never)))
  )
}

describe("a listener without passwords", () => {
  for (const [listen, expected] of [
    ["127.0.0.1:1080", "fine"],
    ["127.8.8.8:1080", "fine"],
    ["[::1]:1080", "fine"],
    ["systemd:web", "fine"],
    ["0.0.0.0:1080", "refused: 0.0.0.0:1080"],
    ["[::]:1080", "refused: [::]:1080"],
    ["192.0.2.1:1080", "refused: 192.0.2.1:1080"],
    ["proxy.example:1080", "refused: proxy.example:1080"],
    ["tls:0.0.0.0:1080", "refused: tls:0.0.0.0:1080"]
  ] as const) {
    it.effect(`at ${listen}: ${expected}`, () =>
      Effect.map(check(listen), (found) => assert.strictEqual(found, expected))
    )
  }

  it.effect("on a Unix-domain socket is for the users of its permissions", () =>
    Effect.gen(function* () {
      const at = (mode: number) => check("unix:/run/socks", {}, [Method.NoAuthentication], mode)
      assert.strictEqual(yield* at(0o660), "fine")
      for (const mode of [0o661, 0o604, 0o666]) {
        assert.strictEqual(yield* at(mode), "refused: unix:/run/socks")
      }
    })
  )

  it.effect("is allowed with --open, or if it needs a certificate", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* check("0.0.0.0:1080", { open: true }), "fine")
      const withCa = { tlsClientCa: { path: "/ca" } as never }
      assert.strictEqual(yield* check("tls:0.0.0.0:1080", withCa), "fine")
      assert.match(yield* check("0.0.0.0:1080", withCa), /refused/)
    })
  )
})

describe("a listener with passwords", () => {
  it.effect("is allowed, unless it also accepts clients without them", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* check("0.0.0.0:1080", {}, [Method.UsernamePassword]), "fine")
      const both = [Method.NoAuthentication, Method.UsernamePassword]
      assert.match(yield* check("0.0.0.0:1080", {}, both), /refused/)
      for (const [methods, asks] of [
        [both, false],
        [[Method.UsernamePassword], true]
      ] as const) {
        const found = yield* Effect.provideService(OpenProxyCheck.asksPassword, Authenticator, {
          methods
        } as never)
        assert.strictEqual(found, asks)
      }
    })
  )
})
