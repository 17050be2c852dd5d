/**
 * From which address a session leaves: the same one for the same user, none outside the settings, and none where the family
 * has none.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as EgressSource from "../../src/config/EgressSource.ts"
import { Settings } from "../../src/library/Settings.ts"
import { CurrentSource } from "../../src/network/Source.ts"
import * as Direct from "../../src/routes/Direct.ts"
import * as Egress from "../../src/routes/Egress.ts"
import type { Connected, DatagramDestination, JudgedTarget, Route } from "../../src/routes/Route.ts"
import { ip } from "../support/rules.ts"

const key = Redacted.make("0123456789abcdef")

const sources = (...texts: ReadonlyArray<string>) =>
  texts.map((text) => Option.getOrThrow(EgressSource.fromString(text)))

const of = (texts: ReadonlyArray<string>, options: Partial<Parameters<typeof Egress.make>[1]> = {}) =>
  Egress.make(sources(...texts), { egressBy: "user", egressKey: key, ttl: undefined, ...options })

const access = (
  user: string | undefined,
  client = "203.0.113.7",
  parameters: Readonly<Record<string, string>> = {}
) => ({
  identity: { user, parameters },
  client: NetAddress.ipFromStringUnsafe(client)
})

const address = (egress: Egress.Egress, who: ReturnType<typeof access>, isIpv4 = false, now = 0) => {
  const found = egress.of(who, now).of(isIpv4)
  return found && NetAddress.formatIp(found)
}

describe("Egress", () => {
  it.effect("chooses the same address for the same user, whatever the client, and on every machine", () =>
    Effect.gen(function* () {
      const one = yield* of(["2001:db8:1::/64"])
      const other = yield* of(["2001:db8:1::/64"])
      const alice = address(one, access("alice"))
      assert.match(alice!, /^2001:db8:1:0:/)
      assert.strictEqual(address(other, access("alice", "198.51.100.1")), alice)
      // A change of the way of choosing would move every user.
      assert.strictEqual(alice, "2001:db8:1:0:6833:7724:5961:c9f")
      const users = new Set(Array.from({ length: 1000 }, (_, i) => address(one, access(`user-${i}`))))
      assert.strictEqual(users.size, 1000)
      const secret = yield* of(["2001:db8:1::/64"], { egressKey: Redacted.make("another secret key") })
      assert.notStrictEqual(address(secret, access("alice")), alice)
    })
  )

  it.effect("chooses by the client where that is asked for, or where there is no user", () =>
    Effect.gen(function* () {
      const byUser = yield* of(["2001:db8:1::/64"])
      const byClient = yield* of(["2001:db8:1::/64"], { egressBy: "client" })
      const here = address(byClient, access("alice"))
      assert.strictEqual(address(byClient, access("bob")), here)
      assert.strictEqual(address(byUser, access(undefined)), here)
      assert.notStrictEqual(address(byClient, access("alice", "203.0.113.8")), here)
    })
  )

  it.effect("spreads users over addresses and networks alike, each with its whole width", () =>
    Effect.gen(function* () {
      const egress = yield* of(["192.0.2.8/30", "198.51.100.1"])
      const counts: Record<string, number> = {}
      for (let i = 0; i < 1000; i++) {
        const found = address(egress, access(`user-${i}`), true)!
        counts[found] = (counts[found] ?? 0) + 1
      }
      assert.sameMembers(Object.keys(counts), [
        "192.0.2.8",
        "192.0.2.9",
        "192.0.2.10",
        "192.0.2.11",
        "198.51.100.1"
      ])
      assert.closeTo(counts["198.51.100.1"]!, 500, 100)
      for (const last of [8, 9, 10, 11]) assert.closeTo(counts[`192.0.2.${last}`]!, 125, 60)
      for (const [network, pattern] of [
        ["2001:db8::/32", /^2001:db8:/],
        ["2001:db8::/127", /^2001:db8::1?$/],
        ["10.0.0.0/8", /^10\./]
      ] as const) {
        const wide = yield* of([network])
        for (let i = 0; i < 100; i++)
          assert.match(address(wide, access(`user-${i}`), network.startsWith("10"))!, pattern)
      }
    })
  )

  it.effect("has no address for a family that the settings have none of", () =>
    Effect.gen(function* () {
      const egress = yield* of(["192.0.2.10"], { egressKey: undefined })
      assert.strictEqual(address(egress, access("alice"), true), "192.0.2.10")
      assert.isUndefined(address(egress, access("alice"), false))
      const gone = yield* of(["nothere0"])
      assert.isUndefined(address(gone, access("alice"), true))
      assert.strictEqual(address(yield* of(["lo"]), access("alice"), true), "127.0.0.1")
    })
  )

  it.effect("needs a key to choose by, and refuses what is no source", () =>
    Effect.gen(function* () {
      for (const texts of [["2001:db8:1::/64"], ["192.0.2.1", "192.0.2.2"], ["eth0", "192.0.2.1"]]) {
        const { message } = yield* Effect.flip(of(texts, { egressKey: undefined }))
        assert.strictEqual(
          message,
          "--egress-key: the key is not given, but several addresses need it, as one of them is chosen by it"
        )
      }
      yield* of(["192.0.2.1", "2001:db8::1"], { egressKey: undefined })
      for (const text of [
        "0.0.0.0",
        "::",
        "10.0.0.1/8",
        "0.0.0.0/0",
        "192.0.2",
        "a name",
        "x".repeat(16),
        "fe80::1%eth0"
      ]) {
        assert.isTrue(Option.isNone(EgressSource.fromString(text)), text)
      }
    })
  )
})

describe("sessions in user names", () => {
  const session = (value: string, user = "alice", more: Readonly<Record<string, string>> = {}) =>
    access(user, "203.0.113.7", { session: value, ...more })

  it.effect("leave each from its own address, on every machine, and never from that of another user", () =>
    Effect.gen(function* () {
      const options = { egressBy: "session", ttl: "life" }
      const one = yield* of(["2001:db8:1::/64"], options)
      const other = yield* of(["2001:db8:1::/64"], options)
      const first = address(one, session("1"))
      assert.strictEqual(address(other, { ...session("1"), client: ip("198.51.100.1") }), first)
      assert.notStrictEqual(address(one, session("2")), first)
      assert.notStrictEqual(address(one, session("1", "bob")), first)
      // Without a session it is the address of the user.
      const byUser = yield* of(["2001:db8:1::/64"])
      assert.strictEqual(address(one, access("alice")), address(byUser, access("alice")))
      assert.strictEqual(address(byUser, session("1")), address(byUser, session("2")))
    })
  )

  it.effect("choose anew after their time to live, each at a time of its own", () =>
    Effect.gen(function* () {
      const egress = yield* of(["2001:db8:1::/64"], { egressBy: "session", ttl: "life" })
      const minute = 60_000
      const begin = 1_800_000_000_000
      /** The minutes at which the address of a session changes, and the number of its addresses. */
      const changes = (value: string) => {
        const found = Array.from({ length: 60 }, (_, i) =>
          address(egress, session(value, "alice", { life: "20m" }), false, begin + i * minute)
        )
        return [
          found.flatMap((it, i) => (i > 0 && it !== found[i - 1] ? [i] : [])),
          new Set(found).size
        ] as const
      }
      const times = new Set<number>()
      for (const value of ["1", "2", "3", "4", "5", "6"]) {
        const [at, count] = changes(value)
        assert.strictEqual(count, at.length + 1)
        assert.isTrue(at.every((time, i) => i === 0 || time - at[i - 1]! === 20))
        assert.isAtLeast(at.length, 2)
        times.add(at[0]!)
      }
      assert.isAbove(times.size, 2)
      const kept = new Set(
        Array.from({ length: 60 }, (_, i) => address(egress, session("1"), false, begin + i * minute))
      )
      assert.strictEqual(kept.size, 1)
    })
  )
})

describe("a route with egress", () => {
  const seen: Array<string | undefined> = []
  const note = Effect.map(CurrentSource, (source) => {
    const address = source?.of(true)
    seen.push(address && NetAddress.formatIp(address))
  })
  const route: Route = {
    connect: ({ permitted }) =>
      Effect.as(note, {
        outgoing: { local: NetAddress.inetAddressUnsafe(ip("192.0.2.10"), 1) } as never,
        decision: permitted[0].decision
      }),
    listen: () => Effect.andThen(note, Effect.never),
    datagrams: Direct.route.datagrams
  }
  const sent = (around: Route) =>
    around.datagrams(to as never, () => Effect.never) as Effect.Effect<DatagramDestination<void>>
  /** The routes of this test need no services. */
  const connected = (around: Route) =>
    Effect.scoped(around.connect(to) as Effect.Effect<Connected, never, Scope.Scope>)
  const to = {
    access: { ...access("alice"), target: { host: ip("192.0.2.1"), port: 1 } },
    permitted: ["2001:db8::1", "192.0.2.1"].map((text) => ({
      address: ip(text),
      decision: { verdict: "allow", rule: "all" }
    })),
    chargeRule: () => Effect.void
  } as unknown as JudgedTarget

  it.effect("connects, listens and sends from that address, the inner route before the outer", () =>
    Effect.gen(function* () {
      seen.length = 0
      const outer = yield* of(["192.0.2.10"])
      const inner = yield* of(["192.0.2.20"])
      const around = Egress.around(route, outer)
      const { outgoing } = yield* connected(around)
      assert.deepStrictEqual(outgoing.way, { route: "direct", egress: ip("192.0.2.10") })
      yield* connected(Egress.around(Egress.around(route, inner, "blue"), outer))
      assert.deepStrictEqual(seen, ["192.0.2.10", "192.0.2.20"])
      // Only an address of a family that has a source is sent to.
      const found = yield* sent(around)
      assert.strictEqual(NetAddress.formatIp(found.address), "192.0.2.1")
      assert.strictEqual(NetAddress.formatIp(found.source!.of(true)!), "192.0.2.10")
      const both = yield* sent(Egress.around(Egress.around(route, inner), outer))
      assert.strictEqual(NetAddress.formatIp(both.source!.of(true)!), "192.0.2.20")
    })
  )

  it.effect("forwards requests from there, too, and carries no datagrams if the route carries none", () =>
    Effect.gen(function* () {
      seen.length = 0
      const inner = { ...route, forward: route.connect, carriesDatagrams: false }
      const around = Egress.around(inner, yield* of(["192.0.2.10"]))
      yield* connected({ ...around, connect: around.forward! })
      assert.deepStrictEqual(seen, ["192.0.2.10"])
      assert.isFalse(around.carriesDatagrams)
      assert.isUndefined(Egress.around(route, yield* of(["192.0.2.10"])).forward)
    })
  )

  it.effect("lets no connection be kept for a session that leaves from elsewhere", () =>
    Effect.gen(function* () {
      const around = Egress.around(route, yield* of(["10.0.0.0/8"], { egressBy: "client" }))
      const keyOf = (client: string) =>
        around.keyOf!({ ...to.access, ...access("alice", client) }, to.permitted[1]!, 0)
      assert.strictEqual(keyOf("203.0.113.7"), keyOf("203.0.113.7"))
      assert.notStrictEqual(keyOf("203.0.113.7"), keyOf("203.0.113.8"))
    })
  )

  it.effect("is one of the config file, too, direct or through upstreams", () =>
    Effect.gen(function* () {
      const { values } = yield* Settings.make({
        routes: [
          { name: "direct-from", egress: ["192.0.2.10", "2001:db8::10"] },
          { name: "via-from", via: "socks5://192.0.2.1", egress: "eth1" }
        ] as never
      })
      assert.deepStrictEqual(
        values.routes.map(({ isDirect, egress, members }) => [isDirect, egress.length, members.length]),
        [
          [true, 2, 0],
          [false, 1, 1]
        ]
      )
      const wrong = Settings.make({ routes: [{ name: "a", egress: "eth1", choose: "random" }] as never })
      assert.include((yield* Effect.flip(wrong)).message, "choose is for a route through an upstream")
    })
  )
})
