/**
 * Bans as text, and texts that are none.
 */
import { assert, describe, it } from "@effect/vitest"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as fc from "fast-check"
import * as BanLines from "../../src/bans/BanLines.ts"
import * as Slices from "../../src/base/Slices.ts"
import { holds } from "../support/property.ts"

const format = (...bans: Parameters<typeof BanLines.format>) => Slices.runSync(BanLines.format(...bans))
const parse = (text: string) => Slices.runSync(BanLines.parse(text))

const line =
  '{"network":"203.0.113.7/32","until":"2026-11-22T16:20:00.000Z","reason":"failed logins","failures":10}\n'

describe("BanLines", () => {
  it("are one JSON object each", () => {
    const ban = {
      network: IpNetwork.fromStringUnsafe("203.0.113.7/32"),
      until: Date.UTC(2026, 10, 22, 16, 20),
      reason: "failed logins",
      failures: 10
    }
    assert.strictEqual(format([ban]), line)
    assert.deepStrictEqual(parse(line), { bans: [ban], wrong: [] })
  })

  it("are read as they are written", () => {
    const ban = fc.record({
      network: fc.oneof(
        fc
          .tuple(fc.ipV4(), fc.nat(32))
          .map(([text, length]) => IpNetwork.fromAddressUnsafe(NetAddress.ipFromStringUnsafe(text), length)),
        fc
          .tuple(fc.nat(0xffff), fc.nat(48))
          .map(([high, length]) =>
            IpNetwork.fromAddressUnsafe(NetAddress.ipFromStringUnsafe(`2001:${high.toString(16)}::1`), length)
          )
      ),
      until: fc.integer({ min: 0, max: 8.64e15 }),
      reason: fc.string({ unit: fc.constantFrom("a", " ", '"', "{", "ü") }),
      failures: fc.nat()
    })
    holds(
      fc.property(fc.array(ban), (bans) => {
        const { bans: read, wrong } = parse(format(bans))
        assert.deepStrictEqual(wrong, [])
        assert.strictEqual(format(read), format(bans))
      })
    )
  })

  it("need only a network and a time, and may have empty lines between them", () => {
    const { bans, wrong } = parse('\n{"network":"192.0.2.1","until":"2027-01-01"}\r\n\n')
    assert.deepStrictEqual(wrong, [])
    assert.deepInclude(bans[0], { until: Date.UTC(2027, 0, 1), reason: "by hand", failures: 0 })
    assert.strictEqual(IpNetwork.format(bans[0]!.network), "192.0.2.1/32")
  })

  for (const text of [
    "203.0.113.7",
    "{}",
    "[]",
    "null",
    '{"network":"203.0.113.7/24","until":"2027-01-01"}',
    '{"network":"host.example","until":"2027-01-01"}',
    '{"network":"203.0.113.7","until":"tomorrow"}',
    '{"network":"203.0.113.7","until":"2027-01-01","failures":"many"}',
    '{"network":"203.0.113.7","until":"2027-01-01"'
  ]) {
    it(`are invalid: ${text}`, () => {
      assert.deepStrictEqual(parse(`${line}${text}\n`).wrong, [2])
      assert.lengthOf(parse(`${line}${text}\n`).bans, 1)
    })
  }
})
