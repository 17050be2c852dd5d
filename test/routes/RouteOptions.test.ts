/**
 * Routes as they are written, and what is refused.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type { ServerOptions } from "../../src/library/ServerOptions.ts"
import { Settings } from "../../src/library/Settings.ts"
import * as RouteOptions from "../../src/routes/RouteOptions.ts"
import * as Routes from "../../src/routes/Routes.ts"
import * as UpstreamUrl from "../../src/routes/UpstreamUrl.ts"
import * as Config from "../../src/server/Config.ts"
import { layerServer } from "../../src/testing/index.ts"

const routes = (options: unknown) =>
  Effect.map(Settings.make({ routes: options } as ServerOptions), ({ values }) => values.routes)

const refused = (options: unknown) => Effect.map(Effect.flip(routes(options)), ({ message }) => message)

describe("routes", () => {
  it.effect("have upstreams, or members with weights", () =>
    Effect.gen(function* () {
      const [one, two] = yield* routes([
        { name: "chain", via: ["socks5://a", "http://b:3128"], names: "upstream" },
        {
          name: "pool",
          members: ["socks5://c", { name: "d", via: "socks5://d", weight: 3 }],
          choose: "sticky",
          stickyBy: "client",
          check: { target: "target.example:443", every: "1 minute" }
        }
      ])
      assert.deepStrictEqual(
        one!.members.map(({ via }) => via.map(({ sendsNames }) => sendsNames)),
        [[false, true]]
      )
      assert.deepStrictEqual(
        two!.members.map(({ name, weight, via }) => [name, weight, via.map(UpstreamUrl.shown)]),
        [
          [undefined, 1, ["socks5://c:1080"]],
          ["d", 3, ["socks5://d:1080"]]
        ]
      )
      assert.deepInclude(two, { choose: "sticky", stickyBy: "client" })
    })
  )

  it.effect("are refused with the mistake, without a URL in the message", () =>
    Effect.gen(function* () {
      const secret = "socks5://alice:secret@"
      for (const [options, message] of [
        [{ name: "direct", via: "socks5://a" }, /routes.*name: "direct" is not a name of up to 64/],
        [{ name: "a" }, /a route has either via, or members/],
        [{ name: "a", via: "socks5://a", members: "socks5://b" }, /either via, or members/],
        [{ name: "a", via: secret }, /what was given is not a URL such as/],
        [{ name: "a", members: [{ via: secret }] }, /a URL such as/],
        [{ name: "a", via: "socks5://a", choose: "random" }, /choose is for a route with members/],
        [{ name: "a", members: ["socks5://a"], stickyBy: "user" }, /sticky-by is for choose: sticky/],
        [{ name: "a", members: ["socks5://a"], check: { target: "a" } }, /not HOST:PORT/],
        [{ name: "a", members: ["socks5://a"], weight: 3 }, /weight/],
        [{ name: "a", members: [{ via: "socks5://a", labels: "country" }] }, /a label such as country=de/],
        [{ name: "a", dns: "dns.example" }, /the address of a name server/],
        [{ name: "a", via: "socks5://a", prefer: "ipv4" }, /prefer is for a route with dns/],
        [{ name: "a", dns: "192.0.2.53", choose: "random" }, /choose is for a route through an upstream/]
      ] as const) {
        const said = yield* refused(options)
        assert.match(said, message)
        assert.notInclude(said, "secret")
      }
    })
  )

  it.effect("may have name servers, unless the app says alone what names lead to", () =>
    Effect.gen(function* () {
      const route = { name: "inside", dns: ["192.0.2.53", "tls://192.0.2.54"], prefer: "ipv4" } as const
      const [read] = yield* routes(route)
      assert.deepStrictEqual([read!.isDirect, read!.dns.length, read!.prefer], [true, 2, "ipv4"])
      const server = layerServer({ routes: route, rules: { allow: true, route: "inside" } })
      assert.include(
        (yield* Effect.flip(Effect.scoped(Layer.build(server)))).message,
        "possible beside a Resolver of your own"
      )
    })
  )

  it.effect("are refused if no rule takes them, and so is a rule that names none", () =>
    Effect.gen(function* () {
      const said = (options: ServerOptions) =>
        Effect.gen(function* () {
          const { values } = yield* Settings.make(options)
          const { message } = yield* Effect.flip(Effect.provide(Routes.pools, Config.layer(values)))
          return message
        })
      const office = { name: "office", via: "socks5://a" }
      assert.include(yield* said({ routes: office }), '"office" is not the route of any rule')
      assert.include(
        yield* said({ routes: office, rules: [{ allow: true, route: "ofice" }] }),
        'route "ofice" of rule 1 is not one of office, direct, deny'
      )
      const rules = [{ allow: true, route: "office" } as const]
      const labelled = (labels: string) => ({
        ...{ routes: { name: "office", members: [{ via: "socks5://a", labels }] }, rules },
        userParameters: "country:de|fr"
      })
      assert.include(
        yield* said(labelled("zone=7")),
        'label "zone=7" is not of a parameter of user-parameters'
      )
      assert.include(
        yield* said(labelled("country=us")),
        'label "country=us" is not of the type of its parameter'
      )
      assert.include(yield* said({ userParameters: ["a:ttl", "b:ttl"] }), '"b:ttl" is not possible beside')
      assert.include(
        yield* said({ egressBy: "session" }),
        '--egress-by: "session" is not one of user, client: --user-parameters declares more'
      )
      assert.include(yield* said({ routes: [office, office], rules }), "the only route of its name")
      assert.include(
        yield* said({ routes: { name: "office", via: ["socks5://a", "socks5://unix:/run/b"] }, rules }),
        "cannot reach a socket of this machine"
      )
      assert.include(
        yield* said({ routes: { name: "office", via: "https://a?ca=/missing.pem" }, rules }),
        '"/missing.pem" is not a file that can be read (ENOENT)'
      )
      assert.include(
        Effect.runSync(
          Effect.map(
            Effect.flip(Settings.make({ rules: { deny: true, route: "direct" } } as never)),
            ({ message }) => message
          )
        ),
        "is for a rule with allow: true"
      )
    })
  )
})

describe("a file of members", () => {
  it("has a URL on each line, and options behind it", () => {
    const read = Result.getOrThrow(
      RouteOptions.parse("# ours\nsocks5://a\n\n http://u:p%23@b:3128  weight=3 name=b zone=7 # theirs\r\n")
    )
    assert.deepStrictEqual(
      read.map(({ name, weight, labels, via }) => [name, weight, [...labels], via.map(UpstreamUrl.shown)]),
      [
        [undefined, 1, [], ["socks5://a:1080"]],
        ["b", 3, [["zone", "7"]], ["http://u@b:3128"]]
      ]
    )
  })

  it("is refused with the number of a line, and nothing of the line", () => {
    for (const line of [
      "alice:secret@a",
      "socks5://a weight=0",
      "socks5://a size=",
      "socks5://a si.ze=3",
      "socks5://a name="
    ]) {
      const { failure } = RouteOptions.parse(`socks5://a\n${line}`) as Result.Failure<unknown, string>
      assert.match(failure, /^line 2 is not a URL of an upstream/)
    }
  })
})
