/**
 * Which bans hold when, and which are kept when there are too many.
 */
import { assert, describe, it } from "@effect/vitest"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as fc from "fast-check"
import * as BanList from "../../src/bans/BanList.ts"
import { holds } from "../support/property.ts"

const network = IpNetwork.fromStringUnsafe
const address = NetAddress.ipFromStringUnsafe
const ban = (text: string, until: number): BanList.Ban => ({
  network: network(text),
  until,
  reason: "a test",
  failures: 0
})

const names = (bans: ReadonlyArray<BanList.Ban>) =>
  bans.map(({ network }) => IpNetwork.format(network)).sort()

/** Few enough to meet: by two bits, in four prefix lengths and both families. */
const anyNetwork = fc
  .tuple(fc.boolean(), fc.constantFrom(8, 24, 31, 32), fc.nat(3), fc.nat(3))
  .map(([isIpv6, length, high, low]) =>
    isIpv6
      ? IpNetwork.fromAddressUnsafe(address(`2001:db8::${high}:${low}`), length + 96)
      : IpNetwork.fromAddressUnsafe(address(`192.0.${high}.${low}`), length)
  )

describe("BanList", () => {
  it("finds the same ban as a scan of all bans", () => {
    const operation = fc.tuple(fc.constantFrom("set", "punish", "lift"), anyNetwork, fc.nat(100))
    holds(
      fc.property(fc.array(operation, { maxLength: 30, size: "max" }), (operations) => {
        const list = BanList.make()
        let all: ReadonlyArray<BanList.Ban> = []
        operations.forEach(([what, network, time], now) => {
          const others = all.filter((it) => IpNetwork.format(it.network) !== IpNetwork.format(network))
          if (what === "set") {
            const made = { network, until: now + time, reason: "", failures: 0 }
            list.set(made)
            all = [...others, made]
          } else if (what === "punish") {
            all = [...others, list.punish(network, 1, now, time)]
          } else {
            const isMeant = (it: BanList.Ban) => IpNetwork.overlaps(it.network, network)
            const lifted = all.filter((it) => isMeant(it) && it.until > now)
            assert.deepStrictEqual(names(list.lift(network, now)), names(lifted))
            all = all.filter((it) => !isMeant(it))
          }
          for (const at of [network.address, NetAddress.ipv4Loopback]) {
            const holding = all.filter((it) => IpNetwork.contains(it.network, at) && it.until > now)
            const found = list.find(at, now)
            assert.strictEqual(found !== undefined, holding.length > 0)
            if (found) assert.include(names(holding), IpNetwork.format(found.network))
          }
          assert.deepStrictEqual(names(list.list(now)), names(all.filter(({ until }) => until > now)))
        })
      })
    )
  })

  it("finds an IPv4 address in IPv6 form", () => {
    const list = BanList.make()
    list.set(ban("203.0.113.7/32", 10))
    assert.isDefined(list.find(address("::ffff:203.0.113.7"), 9))
    assert.isUndefined(list.find(address("203.0.113.7"), 10))
  })

  it("bans twice as long each time, up to a day, until a day has passed without", () => {
    const list = BanList.make()
    const minute = 60_000
    let now = 0
    const lengths = Array.from({ length: 10 }, () => {
      const { until } = list.punish(network("203.0.113.7/32"), 10, now, 10 * minute)
      const length = (until - now) / minute
      now = until
      return length
    })
    assert.deepStrictEqual(lengths, [10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440])
    const again = (text: string, later: number) =>
      (list.punish(network(text), 10, now + later, 10 * minute).until - now - later) / minute
    assert.strictEqual(again("203.0.113.8/32", 0), 10)
    assert.strictEqual(again("203.0.113.7/32", BanList.day), 10)
  })

  it("bans for longer than a day if the ban time is longer", () => {
    const list = BanList.make()
    const punish = (now: number) => list.punish(network("203.0.113.7/32"), 1, now, 2 * BanList.day).until
    assert.strictEqual(punish(0), 2 * BanList.day)
    assert.strictEqual(punish(2 * BanList.day), 4 * BanList.day)
  })

  it("never holds more bans than its limit, and drops those that end first", () => {
    holds(
      fc.property(fc.array(fc.nat(255), { maxLength: 100, size: "max" }), (times) => {
        const list = BanList.make(16)
        list.set(ban("198.51.100.0/24", Number.MAX_SAFE_INTEGER))
        times.forEach((time, n) => {
          list.set(ban(`10.0.0.${n}/32`, 1 + time))
          assert.isAtMost(list.list(0).length, 16)
        })
        assert.isDefined(list.find(address("198.51.100.9"), 0))
      })
    )
  })

  it("has another revision after each change, and only then", () => {
    const list = BanList.make()
    const start = list.revision()
    list.lift(network("203.0.113.7/32"), 0)
    assert.strictEqual(list.revision(), start)
    list.punish(network("203.0.113.7/32"), 1, 0, 1)
    const then = list.revision()
    assert.notStrictEqual(then, start)
    list.lift(network("203.0.113.7/32"), 0)
    assert.notStrictEqual(list.revision(), then)
  })
})
