/**
 * From a target to the addresses that may be dialled: what is judged when, what
 * is looked up, and what the log is told of it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { TestClock } from "effect/testing"
import { Resolver } from "../../src/network/Resolver.ts"
import { RouteResolvers } from "../../src/network/RouteResolvers.ts"
import type { Access } from "../../src/policy/Access.ts"
import * as Authorize from "../../src/policy/Authorize.ts"
import type { Decision } from "../../src/policy/Decision.ts"
import * as DecisionLog from "../../src/policy/DecisionLog.ts"
import { Policy, reporting } from "../../src/policy/Policy.ts"
import * as Ruleset from "../../src/policy/Ruleset.ts"
import * as Config from "../../src/server/Config.ts"
import * as Target from "../../src/wire/Target.ts"
import { utf8 } from "../support/bytes.ts"
import { captured } from "../support/logs.ts"
import { read } from "../support/rules.ts"

const access = (host: string): Access & { readonly target: Target.Target } => ({
  identity: { user: "alice" },
  client: NetAddress.ipFromStringUnsafe("203.0.113.7"),
  listener: "198.51.100.1:1080",
  protocol: "SOCKS5",
  command: "CONNECT",
  target: Result.getOrThrow(Target.fromName(utf8(host), 443))
})

const addresses = ["192.0.2.1", "2001:db8::1", "10.0.0.1"].map(NetAddress.ipFromStringUnsafe)

/** Nothing of `forbidden.example`, and of other names what is not private. */
const judge: Policy["Service"]["judge"] = ({ target }, address) =>
  Effect.sync((): Decision => {
    if (target?.host === "forbidden.example") {
      return { verdict: "deny", rule: "names", reason: "a forbidden name" }
    }
    if (address === undefined) return { verdict: "undecided", rule: "addresses" }
    return NetAddress.formatIp(address).startsWith("10.")
      ? { verdict: "deny", rule: "addresses", reason: "a private address" }
      : { verdict: "allow", rule: "addresses" }
  })

/** What came of a request, which names were looked up, and the decision lines. */
const granting = (
  host: string,
  {
    found = addresses,
    policy = { judge },
    config = Config.layer({ logDecisions: "all" })
  }: {
    readonly found?: ReadonlyArray<NetAddress.IpAddress>
    readonly policy?: Policy["Service"]
    readonly config?: Layer.Layer<Config.Sections>
  } = {}
) => {
  const asked: Array<string> = []
  const { lines, layer: logs } = captured()
  const resolver = Layer.succeed(Resolver, {
    resolve: (name) => {
      asked.push(name)
      return Effect.as(TestClock.adjust("12 millis"), found as never)
    }
  })
  return Authorize.authorize(access(host)).pipe(
    Effect.map((permit) =>
      permit.map(({ address, decision }) => `${NetAddress.formatIp(address)} by ${decision.rule}`)
    ),
    Effect.catchTag("NotAllowed", ({ reason, rule }) => Effect.succeed({ reason, rule })),
    Effect.map((outcome) => ({ outcome, asked, lines: lines.map(({ fields }) => fields) })),
    Effect.provideService(DecisionLog.DecisionLog, DecisionLog.make()),
    Effect.provide(Layer.mergeAll(resolver, Layer.succeed(Policy, policy), config, logs))
  )
}

describe("name servers of routes", () => {
  const resolver = (
    name: string,
    asked: Array<string>,
    addresses: ReadonlyArray<string>
  ): Resolver["Service"] => ({
    resolve: (host) => {
      asked.push(`${name}: ${host}`)
      return Effect.succeed(addresses.map(NetAddress.ipFromStringUnsafe) as never)
    }
  })

  it.effect("are those of the first rule that takes the name, and find addresses of its route only", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const inside = resolver("inside", asked, ["10.0.0.1", "192.0.2.1"])
      const usual = resolver("usual", asked, ["10.0.0.2", "192.0.2.2"])
      const { judge } = Ruleset.make(
        read(
          { name: "ours", allow: true, to: "*.corp.example", route: "inside" },
          { name: "by address", allow: true, to: "10.0.0.0/8", route: "inside" },
          { name: "rest", allow: true }
        )
      )
      const of = (host: string, others = usual) =>
        Authorize.authorize(access(host)).pipe(
          Effect.map((permit) => permit.map(({ address }) => NetAddress.formatIp(address))),
          Effect.catchTag("NotAllowed", ({ reason, rule }) => Effect.succeed([`${rule}: ${reason}`])),
          Effect.provideService(DecisionLog.DecisionLog, DecisionLog.make()),
          Effect.provideService(RouteResolvers, (route) => (route === "inside" ? inside : undefined)),
          Effect.provide(
            Layer.mergeAll(
              Layer.succeed(Resolver, others),
              Layer.succeed(Policy, Policy.make(judge)),
              Config.layer()
            )
          )
        )
      assert.deepStrictEqual(yield* of("db.corp.example"), ["10.0.0.1", "192.0.2.1"])
      // The usual servers say 10.0.0.2, too, to which a route leads whose servers were not asked.
      assert.deepStrictEqual(yield* of("web.example"), ["192.0.2.2"])
      assert.deepStrictEqual(asked, ["inside: db.corp.example", "usual: web.example"])
      // An address that the client has named was found by nobody.
      assert.deepStrictEqual(yield* of("10.0.0.9"), ["10.0.0.9"])
      assert.deepStrictEqual(yield* of("web.example", resolver("usual", asked, ["10.0.0.2"])), [
        "by address: its route asks other name servers than those that have found the address"
      ])
    })
  )
})

describe("the route deny", () => {
  const nowhere = { name: "closed", allow: true, route: "deny" }
  const refused = { reason: "its route is deny", rule: "closed" }
  const by = (...rules: ReadonlyArray<object>) => Policy.make(Ruleset.make(read(...rules)).judge)

  it.effect("denies by the name alone where that decides, and nobody is asked for the name", () =>
    Effect.gen(function* () {
      for (const rules of [
        [nowhere],
        [{ ...nowhere, to: "*.example" }, { allow: true }],
        // Denied in either case.
        [{ deny: true, to: "10.0.0.0/8" }, nowhere],
        [{ ...nowhere, to: "10.0.0.0/8" }, nowhere]
      ]) {
        const { outcome, asked, lines } = yield* granting("target.example", { policy: by(...rules) })
        assert.deepStrictEqual([outcome, asked], [refused, []])
        assert.deepInclude(lines[0]!, { verdict: "deny", ...refused })
      }
    })
  )

  it.effect("denies by addresses where the name does not decide, and what earlier rules allow stays so", () =>
    Effect.gen(function* () {
      const policy = by({ name: "private", allow: true, to: "10.0.0.0/8" }, nowhere)
      assert.deepInclude(yield* granting("target.example", { policy }), {
        outcome: ["10.0.0.1 by private"],
        asked: ["target.example"]
      })
      const found = addresses.slice(0, 2)
      assert.deepInclude(yield* granting("target.example", { policy, found }), { outcome: refused })
      assert.deepInclude(yield* granting("10.0.0.1", { policy }), { outcome: ["10.0.0.1 by private"] })
    })
  )

  it.effect("leads nowhere in report mode, too", () =>
    Effect.gen(function* () {
      const policy = reporting(by({ deny: true, to: "private.example" }, nowhere))
      assert.deepInclude(yield* granting("target.example", { policy }), { outcome: refused, asked: [] })
      assert.deepInclude((yield* granting("private.example", { policy })).lines[0]!, {
        verdict: "would deny"
      })
    })
  )
})

describe("Authorize", () => {
  it.effect("does not resolve a denied name", () =>
    Effect.gen(function* () {
      const { outcome, asked } = yield* granting("forbidden.example")
      assert.deepStrictEqual(outcome, { reason: "a forbidden name", rule: "names" })
      assert.deepStrictEqual(asked, [])
    })
  )

  it.effect("gives the allowed addresses of a name, in their order", () =>
    Effect.gen(function* () {
      const { outcome, asked } = yield* granting("target.example")
      assert.deepStrictEqual(outcome, ["192.0.2.1 by addresses", "2001:db8::1 by addresses"])
      assert.deepStrictEqual(asked, ["target.example"])
    })
  )

  it.effect("denies a name that has no other addresses than denied ones", () =>
    Effect.gen(function* () {
      const found = [NetAddress.ipFromStringUnsafe("10.0.0.1"), NetAddress.ipFromStringUnsafe("10.0.0.2")]
      const { outcome, lines } = yield* granting("target.example", { found })
      assert.deepStrictEqual(outcome, { reason: "a private address", rule: "addresses" })
      assert.deepStrictEqual(lines[0]?.addresses, ["10.0.0.1", "10.0.0.2"])
    })
  )

  it.effect("judges an IPv4 address in IPv6 form of a name server as IPv4", () =>
    Effect.gen(function* () {
      const found = [NetAddress.ipFromStringUnsafe("::ffff:10.0.0.1")]
      const { outcome } = yield* granting("target.example", { found })
      assert.deepStrictEqual(outcome, { reason: "a private address", rule: "addresses" })
    })
  )

  it.effect("judges the addresses that come late, too", () =>
    Effect.gen(function* () {
      const late = Effect.succeed(
        ["10.0.0.1", "::ffff:10.0.0.2", "192.0.2.9"].map(NetAddress.ipFromStringUnsafe)
      )
      const resolver = Layer.succeed(Resolver, {
        resolve: () => Effect.succeed(Object.assign([addresses[0]!] as const, { late }))
      })
      const permitted = yield* Authorize.authorize(access("target.example")).pipe(
        Effect.provide(Layer.mergeAll(resolver, Layer.succeed(Policy, { judge }), Config.layer()))
      )
      assert.lengthOf(permitted, 1)
      assert.deepStrictEqual(
        (yield* permitted.late!).map(({ address, decision }) => [
          NetAddress.formatIp(address),
          decision.rule
        ]),
        [["192.0.2.9", "addresses"]]
      )
    })
  )

  it.effect("writes the user, the target, the rule, the reason and the duration", () =>
    Effect.gen(function* () {
      const common = {
        user: "alice",
        client: "203.0.113.7",
        listener: "198.51.100.1:1080",
        protocol: "SOCKS5",
        command: "CONNECT"
      }
      assert.deepStrictEqual((yield* granting("target.example")).lines, [
        {
          ...common,
          verdict: "allow",
          rule: "addresses",
          target: "target.example:443",
          addresses: ["192.0.2.1", "2001:db8::1"],
          duration: 12
        }
      ])
      assert.deepStrictEqual((yield* granting("forbidden.example")).lines, [
        {
          ...common,
          verdict: "deny",
          rule: "names",
          reason: "a forbidden name",
          target: "forbidden.example:443",
          addresses: [],
          duration: 0
        }
      ])
    })
  )

  for (const [logDecisions, expected] of [
    ["all", ["allow", "deny"]],
    ["auto", ["deny"]],
    ["denied", ["deny"]],
    ["none", []]
  ] as const) {
    it.effect(`writes only the decisions of the setting: ${logDecisions}`, () =>
      Effect.gen(function* () {
        const config = Config.layer({ logDecisions })
        const allowed = yield* granting("target.example", { config })
        const denied = yield* granting("forbidden.example", { config })
        const verdicts = [...allowed.lines, ...denied.lines].map(({ verdict }) => verdict)
        assert.deepStrictEqual(verdicts, [...expected])
      })
    )
  }

  const perFamily: Policy["Service"]["judge"] = (_, address) =>
    Effect.succeed(
      address === undefined
        ? { verdict: "undecided", rule: "rules" }
        : NetAddress.isIpv4Address(address)
          ? { verdict: "allow", rule: "limited", limits: { sessions: 1 } }
          : { verdict: "allow", rule: "free" }
    )

  it.effect("has a line for each rule that allows addresses", () =>
    Effect.gen(function* () {
      const { outcome, lines } = yield* granting("target.example", { policy: { judge: perFamily } })
      assert.deepStrictEqual(outcome, ["192.0.2.1 by limited", "2001:db8::1 by free", "10.0.0.1 by limited"])
      assert.deepStrictEqual(
        lines.map(({ rule, addresses }) => ({ rule, addresses })),
        [
          { rule: "limited", addresses: ["192.0.2.1", "10.0.0.1"] },
          { rule: "free", addresses: ["2001:db8::1"] }
        ]
      )
    })
  )

  it.effect("reports the addresses that would be denied, and allows the others", () =>
    Effect.gen(function* () {
      const { outcome, lines } = yield* granting("target.example", { policy: reporting({ judge }) })
      assert.lengthOf(outcome as ReadonlyArray<string>, 3)
      assert.deepStrictEqual(
        lines.map(({ verdict, addresses }) => ({ verdict, addresses })),
        [
          { verdict: "allow", addresses: ["192.0.2.1", "2001:db8::1"] },
          { verdict: "would deny", addresses: ["10.0.0.1"] }
        ]
      )
    })
  )

  it.effect("denies nothing in report mode, and reports what it would have denied", () =>
    Effect.gen(function* () {
      const policy = reporting({ judge })
      for (const [host, reason] of [
        ["forbidden.example", "a forbidden name"],
        ["10.0.0.1", "a private address"]
      ] as const) {
        const { outcome, lines } = yield* granting(host, { policy, config: Config.layer() })
        assert.isArray(outcome)
        assert.deepInclude(lines[0]!, { verdict: "would deny", reason })
      }
    })
  )
})
