/**
 * IPv4 behind a translator: how addresses are written, how the prefix is found, when it is used, and that what is judged is
 * the address behind it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { Dialer } from "../../src/network/Dialer.ts"
import * as Translation from "../../src/network/Nat64.ts"
import { Resolver } from "../../src/network/Resolver.ts"
import { Sockets } from "../../src/network/Sockets.ts"
import type * as Transport from "../../src/network/Transport.ts"
import * as Authorize from "../../src/policy/Authorize.ts"
import { Policy } from "../../src/policy/Policy.ts"
import * as Config from "../../src/server/Config.ts"
import * as Target from "../../src/wire/Target.ts"
import { holds } from "../support/property.ts"
import { access } from "../support/rules.ts"

const ip = NetAddress.ipFromStringUnsafe
const ipv4 = ip("192.0.2.33") as NetAddress.Ipv4Address
const network = IpNetwork.fromStringUnsafe

/** RFC 6052 §2.4. */
const examples = [
  ["2001:db8::/32", "2001:db8:c000:221::"],
  ["2001:db8:100::/40", "2001:db8:1c0:2:21::"],
  ["2001:db8:122::/48", "2001:db8:122:c000:2:2100::"],
  ["2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"],
  ["2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100:0"],
  ["2001:db8:122:344::/96", "2001:db8:122:344::c000:221"],
  ["64:ff9b::/96", "64:ff9b::c000:221"]
] as const

describe("addresses of a translator", () => {
  it("are written as in RFC 6052, and read back", () => {
    for (const [prefix, expected] of examples) {
      const embedded = Translation.embed(network(prefix), ipv4)
      assert.strictEqual(NetAddress.formatIp(embedded), NetAddress.formatIp(ip(expected)))
      assert.strictEqual(NetAddress.formatIp(Translation.extract(network(prefix), embedded)!), "192.0.2.33")
    }
    assert.isUndefined(
      Translation.extract(network("64:ff9b::/96"), ip("64:ff9c::1") as NetAddress.Ipv6Address)
    )
  })

  it("are read as they were written, of any address and prefix", () => {
    const anything = fc.tuple(fc.ipV4(), fc.constantFrom(...examples.map(([prefix]) => prefix)))
    holds(
      fc.property(anything, ([text, prefix]) => {
        const address = ip(text) as NetAddress.Ipv4Address
        const back = Translation.extract(network(prefix), Translation.embed(network(prefix), address))
        assert.strictEqual(NetAddress.formatIp(back!), NetAddress.formatIp(address))
      })
    )
  })
})

/** Sockets of a machine without IPv4, and the addresses that they were asked for. */
const withoutIpv4 = (code = "ENETUNREACH") => {
  const dialled: Array<string> = []
  const sockets: Transport.Sockets = {
    connect: (address, port, done) => {
      dialled.push(NetAddress.formatIp(address))
      const local = NetAddress.inetAddressUnsafe(ip("2001:db8::1"), port)
      setImmediate(() => done(NetAddress.isIpv4Address(address) ? code : local))
      return { close: () => {} } as Transport.Transport
    },
    listen: () => Effect.never
  }
  return { dialled, layer: Layer.succeed(Sockets, sockets) }
}

const dial = (
  nat64: Config.Values["nat64"],
  names: Parameters<typeof Resolver.layerFixed>[0],
  code?: string
) => {
  const { dialled, layer } = withoutIpv4(code)
  return Effect.flatMap(Dialer, ({ connect }) => connect(ipv4, 80)).pipe(
    Effect.map(({ remote }) => NetAddress.formatInet(remote)),
    Effect.catch(({ _tag }) => Effect.succeed(_tag)),
    Effect.map((outcome) => ({ outcome, dialled })),
    Effect.scoped,
    Effect.provide(
      Dialer.layer.pipe(
        Layer.provide(Layer.merge(layer, Translation.Nat64.layer)),
        Layer.provide(Layer.merge(Resolver.layerFixed(names), Config.layer({ nat64 })))
      )
    )
  )
}

describe("a machine without IPv4", () => {
  const own = network("2001:db8:122:344::/64")
  const translated = "2001:db8:122:344:c0:2:2100:0"

  it.live("reaches IPv4 by the given prefix", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* dial(own, {}), {
        outcome: `[${translated}]:80`,
        dialled: ["192.0.2.33", translated]
      })
      assert.strictEqual((yield* dial(own, {}, "EAFNOSUPPORT")).outcome, `[${translated}]:80`)
    })
  )

  it.live("finds the prefix of each length by its name", () =>
    Effect.gen(function* () {
      for (const [prefix, expected] of examples) {
        const known = Translation.embed(network(prefix), ip("192.0.0.171") as NetAddress.Ipv4Address)
        const { outcome } = yield* dial("auto", { "ipv4only.arpa": [ip("192.0.0.170"), known] })
        assert.strictEqual(outcome, `[${NetAddress.formatIp(ip(expected))}]:80`)
      }
    })
  )

  it.live("has no route without a translator, and does not search for one", () =>
    Effect.gen(function* () {
      const known = {
        "ipv4only.arpa": [Translation.embed(own, ip("192.0.0.170") as NetAddress.Ipv4Address)]
      } as const
      const none = { outcome: "NetworkUnreachable", dialled: ["192.0.2.33"] }
      assert.deepStrictEqual(yield* dial("auto", {}), none)
      assert.deepStrictEqual(
        yield* dial("auto", { "ipv4only.arpa": [ip("192.0.0.170"), ip("2001:db8::1")] }),
        none
      )
      assert.deepStrictEqual(yield* dial("off", known), none)
      // Another failure is the target's.
      const refused = yield* dial("auto", known, "ECONNREFUSED")
      assert.deepStrictEqual(refused, { outcome: "ConnectionRefused", dialled: ["192.0.2.33"] })
    })
  )
})

describe("an address under the prefix", () => {
  const prefix = network("2001:db8:64::/96")
  const judged = (nat64: Config.Values["nat64"], host: string) => {
    const seen: Array<string> = []
    const policy = Policy.make((_, address) => {
      if (address !== undefined) seen.push(NetAddress.formatIp(address))
      return { verdict: address === undefined ? "undecided" : "allow", rule: "all" }
    })
    const target = Result.getOrThrow(Target.fromName(new TextEncoder().encode(host), 80))
    return Authorize.authorize({ ...access({ to: "web.example:80" }), target }).pipe(
      Effect.map((permitted) => ({
        seen,
        dialled: permitted.map(({ address }) => NetAddress.formatIp(address))
      })),
      Effect.provideService(Policy, policy),
      Effect.provide(
        Layer.provideMerge(
          Translation.Nat64.layer,
          Layer.merge(
            Resolver.layerFixed({ "web.example": [ip("2001:db8:64::a00:5"), ip("2001:db8::5")] }),
            Config.layer({ nat64 })
          )
        )
      )
    )
  }

  it.effect("is judged as the address behind the translator, as the address of a name and as itself", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* judged(prefix, "web.example"), {
        seen: ["10.0.0.5", "2001:db8::5"],
        dialled: ["2001:db8:64::a00:5", "2001:db8::5"]
      })
      const literal = yield* judged(prefix, "2001:db8:64::7f00:1")
      assert.deepStrictEqual(literal, { seen: ["127.0.0.1"], dialled: ["2001:db8:64::7f00:1"] })
      const unknown = yield* judged("auto", "web.example")
      assert.deepStrictEqual(unknown.seen, ["2001:db8:64::a00:5", "2001:db8::5"])
    })
  )
})
