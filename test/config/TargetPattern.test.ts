/**
 * The form in which targets are named, and which targets that are.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as fc from "fast-check"
import * as TargetPattern from "../../src/config/TargetPattern.ts"
import { holds } from "../support/property.ts"

const reformatted = (text: string) =>
  Option.getOrUndefined(Option.map(TargetPattern.fromString(text), TargetPattern.format))

const read = (text: string) => Option.getOrThrow(TargetPattern.fromString(text))

describe("TargetPattern", () => {
  it.each([
    ["*"],
    ["*:25"],
    ["*:8000-8999"],
    ["**"],
    ["**:443"],
    ["localhost"],
    ["db.example:5432"],
    ["_sip._tcp.example"],
    ["*.corp.example"],
    ["*.corp.example:443"],
    ["10.0.0.5"],
    ["10.0.0.5:443"],
    ["10.0.0.0/8"],
    ["10.0.0.0/8:1-65535"],
    ["0.0.0.0/0"],
    ["::1"],
    ["fd00::/8"],
    ["fe80::1:25"],
    ["[::1]:443"],
    ["[fd00::/8]:22"],
    ["[::/0]:22-23"]
  ])("reads %s", (text) => {
    assert.strictEqual(reformatted(text), text)
  })

  it.each([
    ["DB.Example.:443", "db.example:443"],
    ["*.Corp.Example.", "*.corp.example"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["10.0.0.5/32", "10.0.0.5"],
    ["[::1]", "::1"],
    ["[FD00::/8]", "fd00::/8"],
    ["fd00:0:0::1/128", "fd00::1"],
    ["::ffff:10.0.0.5", "10.0.0.5"],
    ["[::ffff:10.0.0.0/104]:22", "10.0.0.0/8:22"],
    ["*:25-25", "*:25"]
  ])("reads %s as %s", (text, expected) => {
    assert.strictEqual(reformatted(text), expected)
  })

  it.each([
    [""],
    [":25"],
    ["*:"],
    ["*:0"],
    ["*:65536"],
    ["*:26-25"],
    ["*:25-"],
    ["*:smtp"],
    ["***"],
    ["**.example"],
    ["*."],
    ["*.*.example"],
    ["a*.example"],
    [".example"],
    ["example." + "."],
    ["."],
    ["*.10"],
    ["127.1"],
    ["0x7f.1"],
    ["2130706433"],
    ["10.0.0.1/8"],
    ["10.0.0.0/33"],
    ["example/8"],
    ["[10.0.0.5]:443"],
    ["[example]:443"],
    ["[::1"],
    ["::1]"],
    ["[::1]443"],
    ["[[::1]]:443"],
    ["fe80::1%eth0"],
    ["a b.example"],
    [" example"],
    ["example\n"]
  ])("reads %j as nothing", (text) => {
    assert.strictEqual(reformatted(text), undefined)
  })

  it("is the same when formatted and read back", () => {
    const octet = fc.nat(255)
    const host = fc.oneof(
      fc.constantFrom("*", "**"),
      fc.domain(),
      fc.domain().map((name) => `*.${name}`),
      fc.tuple(octet, octet, octet, octet).map((octets) => octets.join(".")),
      octet.map((first) => `${first}.0.0.0/8`),
      fc.ipV6().map((address) => `[${address}]`),
      fc.integer({ min: 1, max: 0xffff }).map((first) => `[${first.toString(16)}::/16]`)
    )
    const port = fc.integer({ min: 1, max: 65_535 })
    const ports = fc.oneof(
      fc.constant(""),
      port.map((port) => `:${port}`),
      fc.tuple(port, port).map((both) => `:${both.sort((a, b) => a - b).join("-")}`)
    )
    holds(
      fc.property(host, ports, (host, ports) => {
        const pattern = read(host + ports)
        assert.deepStrictEqual(read(TargetPattern.format(pattern)), pattern)
      })
    )
  })

  it.each([
    ["*", "example", true],
    ["**", "example", true],
    ["example", "example", true],
    ["example", "a.example", false],
    ["*.example", "a.example", true],
    ["*.example", "b.a.example", true],
    ["*.example", "example", false],
    ["*.example", "anexample", false],
    ["*.example", "a.example.org", false],
    ["10.0.0.0/8", "example", false]
  ])("%s and the name %s: %s", (pattern, name, expected) => {
    assert.strictEqual(TargetPattern.matchesName(read(pattern).host, name), expected)
  })

  it.each([
    ["*", [1, 65_535], []],
    ["*:25", [25], [24, 26]],
    ["*:25-27", [25, 26, 27], [24, 28]]
  ])("%s is ports %j, not %j", (text, inside, outside) => {
    const matches = (port: number) => TargetPattern.matchesPort(read(text), port)
    assert.deepStrictEqual(inside.filter(matches), inside)
    assert.deepStrictEqual(outside.filter(matches), [])
  })
})
