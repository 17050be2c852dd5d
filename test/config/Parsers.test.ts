/**
 * The forms in which values are written.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as fc from "fast-check"
import * as Parsers from "../../src/config/Parsers.ts"
import { holds } from "../support/property.ts"

const millis = (text: string) => Option.getOrUndefined(Option.map(Parsers.duration(text), Duration.toMillis))

describe("Parsers", () => {
  it.each([
    ["1ms", 1],
    ["500ms", 500],
    ["10s", 10_000],
    ["1.5s", 1500],
    ["0.001s", 1],
    ["15m", 900_000],
    ["1h", 3_600_000],
    ["1d", 86_400_000],
    ["007s", 7000]
  ])("reads %s as a duration", (text, expected) => {
    assert.strictEqual(millis(text), expected)
  })

  it.each([
    "",
    "0s",
    "0.000s",
    "-1s",
    "+1s",
    "1",
    "s",
    "1 s",
    " 1s",
    "1s ",
    "1s\n",
    "1S",
    "1w",
    "1e3s",
    ".5s",
    "1.s",
    "1,5s",
    "1s1s",
    "Infinity",
    "NaNs",
    "1234567890s",
    "1.2345s"
  ])("reads %j as no duration", (text) => {
    assert.strictEqual(millis(text), undefined)
  })

  it.each([
    ["1", 1],
    ["1B", 1],
    ["512KiB", 524_288],
    ["10MiB", 10_485_760],
    ["1.5GiB", 1_610_612_736],
    ["2TiB", 2_199_023_255_552],
    ["5kB", 5000],
    ["5KB", 5000],
    ["10MB", 10_000_000],
    ["1GB", 1_000_000_000],
    ["999999999999999", 999_999_999_999_999]
  ])("reads %s as bytes, and as a rate", (text, expected) => {
    assert.deepStrictEqual(Parsers.bytes(text), Option.some(expected))
    assert.deepStrictEqual(Parsers.rate(text), Option.some(expected))
    assert.deepStrictEqual(Parsers.rate(`${text}/s`), Option.some(expected))
    assert.deepStrictEqual(Parsers.bytes(`${text}/s`), Option.none())
  })

  it.each([
    "",
    "0",
    "0MiB",
    "0.1B",
    "-1",
    "1 MiB",
    "1mb",
    "1mib",
    "1M",
    "1PiB",
    "1iB",
    "KiB",
    "1e6",
    "0x10",
    "9999999999GiB",
    "off"
  ])("reads %j as no bytes", (text) => {
    assert.isTrue(Option.isNone(Parsers.bytes(text)) && Option.isNone(Parsers.rate(`${text}/s`)))
  })

  it.each([
    ["1MiB/10MiB", [1_048_576, 10_485_760]],
    ["512KiB", [524_288, 524_288]],
    ["1000/2kB", [1000, 2000]],
    ["off/10MB", [Infinity, 10_000_000]],
    ["1/off", [1, Infinity]],
    ["off", [Infinity, Infinity]]
  ])("reads %s as rates, up and down", (text, expected) => {
    const { upload, download } = Option.getOrThrow(Parsers.rates(text))
    assert.deepStrictEqual([upload, download], expected)
  })

  it.each(["", "/", "1/", "/1", "1/2/3", "0", "1/0", "1MiB/s", "fast", "1 / 2", "Off"])(
    "reads %j as no rates",
    (text) => {
      assert.isTrue(Option.isNone(Parsers.rates(text)))
    }
  )

  it.each([
    ["2027-03-31", "2027-04-01T00:00:00.000Z"],
    ["2028-02-29", "2028-03-01T00:00:00.000Z"],
    ["2027-03-31T18:00Z", "2027-03-31T18:00:00.000Z"],
    ["2027-03-31T18:00:30+02:00", "2027-03-31T16:00:30.000Z"]
  ])("reads %s as the moment when something is over", (text, expected) => {
    assert.strictEqual(new Date(Option.getOrThrow(Parsers.expiry(text))).toISOString(), expected)
  })

  it.each([
    "",
    "2027",
    "2027-3-31",
    "2027-02-29",
    "2027-02-30T10:00Z",
    "2027-13-01",
    "2027-03-31T24:01Z",
    "2027-03-31T18:00",
    "2027-03-31 18:00Z",
    "never"
  ])("reads %j as no such moment", (text) => {
    assert.isTrue(Option.isNone(Parsers.expiry(text)))
  })

  it("reads when to drop connections at random", () => {
    const read = (text: string) => Option.getOrUndefined(Parsers.earlyDrop(text))
    assert.deepStrictEqual(read("10:30:100"), { start: 10, rate: 30, full: 100 })
    assert.deepStrictEqual(read("1:100:1"), { start: 1, rate: 100, full: 1 })
    for (const text of [
      "",
      "10",
      "10:30",
      "0:30:100",
      "101:30:100",
      "10:0:100",
      "10:101:100",
      "10:30:100:",
      "a:b:c"
    ])
      assert.strictEqual(read(text), undefined, text)
  })

  it("reads switches", () => {
    const read = (text: string) => Option.getOrUndefined(Parsers.toggle(text))
    assert.deepStrictEqual(["true", "1", "false", "0"].map(read), [true, true, false, false])
    for (const text of ["", "yes", "TRUE", "on", "01", " true"]) assert.strictEqual(read(text), undefined)
  })

  it("reads only the allowed words", () => {
    const allowed = ["info", "none"] as const
    assert.deepStrictEqual(Parsers.literal("none", allowed), Option.some("none"))
    holds(
      fc.property(fc.oneof(fc.string(), fc.constantFrom("INFO", "info ", "length", "0")), (text) => {
        if (text === "info" || text === "none") return
        assert.isTrue(Option.isNone(Parsers.literal(text, allowed)))
      })
    )
  })
})
