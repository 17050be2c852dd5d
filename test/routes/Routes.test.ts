/**
 * The route of an app, in the place of the server's own.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CurrentRoute, Errors, Policy, Reload, Server, type ServerOptions } from "../../src/index.ts"
import { layerNetwork, Network } from "../../src/testing/index.ts"
import { greeting, request } from "../support/messages.ts"

/** The route of this app leads to hosts that nobody reaches. */
const unreachable = Layer.succeed(CurrentRoute, {
  connect: () => Effect.fail(new Errors.HostUnreachable()),
  listen: () => Effect.fail(new Errors.HostUnreachable()),
  datagrams: () => Effect.fail(new Errors.HostUnreachable()),
  carriesDatagrams: false
})

const server = (options: ServerOptions = {}) =>
  layerNetwork(Server.layer(options).pipe(Layer.provide(unreachable)))

/** The code of the reply to a command. */
const ask = Effect.fnUntraced(function* (command: number) {
  const client = yield* (yield* Network).connect()
  yield* client.send([...greeting(0), ...request("192.0.2.1", 80, command)])
  return (yield* client.receive(12))[3]
}, Effect.scoped)

const upstream = { upstream: "socks5://proxy.example:1080" } satisfies ServerOptions

describe("the direct route", () => {
  const policy = (route: string) =>
    Layer.succeed(
      Policy,
      Policy.make(() => ({ verdict: "allow", rule: "mine", route }))
    )

  it.effect("leads to nothing for which the policy of an app names another one", () =>
    Effect.gen(function* () {
      for (const [route, code] of [
        ["office", 7],
        ["direct", 0]
      ] as const) {
        const told = yield* Effect.gen(function* () {
          yield* (yield* Network).target("192.0.2.1:80", () =>
            route === "direct" ? Effect.void : Effect.die("went directly")
          )
          return [yield* ask(1), yield* ask(2)]
        }).pipe(
          Effect.scoped,
          Effect.provide(layerNetwork(Server.layer({ bind: true }).pipe(Layer.provide(policy(route)))))
        )
        assert.strictEqual(told[0], code, route)
        if (route === "office") assert.strictEqual(told[1], code)
      }
    })
  )
})

describe("the route of an app", () => {
  it.effect("is taken for every command, and stays over reloads", () =>
    Effect.gen(function* () {
      yield* (yield* Network).target("192.0.2.1:80", () => Effect.die("went by the server's own route"))
      assert.deepStrictEqual([yield* ask(1), yield* ask(2), yield* ask(3)], [4, 4, 7])
      yield* (yield* Reload)({ bind: true, maxSessions: 100 })
      assert.deepStrictEqual([yield* ask(1), yield* ask(2), yield* ask(3)], [4, 4, 7])
    }).pipe(Effect.scoped, Effect.provide(server({ bind: true })))
  )

  it.effect("is not beside routes of the settings, which would not be taken", () =>
    Effect.gen(function* () {
      const refused = (options: ServerOptions) =>
        Effect.map(Effect.flip(Effect.scoped(Layer.build(server(options)))), ({ message }) => message)
      const expected = "used by a server whose app provides CurrentRoute"
      assert.strictEqual(yield* refused(upstream), `upstream: an upstream is not ${expected}`)
      assert.strictEqual(
        yield* refused({
          routes: { name: "office", via: "http://proxy.example:3128" },
          rules: { allow: true, route: "office" }
        }),
        `routes[0]: a route is not ${expected}`
      )
      assert.strictEqual(
        yield* refused({
          rules: [
            { allow: true, to: "a.example" },
            { allow: true, route: "direct" }
          ]
        }),
        `rules[1].route: "direct" is not ${expected}`
      )
    })
  )

  it.effect("is not replaced by a reload with routes, which is refused", () =>
    Effect.gen(function* () {
      const { message } = yield* Effect.flip((yield* Reload)(upstream))
      assert.match(message, /^upstream: an upstream is not used by a server/)
      assert.strictEqual(yield* ask(1), 4)
    }).pipe(Effect.provide(server()))
  )
})
