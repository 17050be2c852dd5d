/**
 * Client bytes on their way to a terminal or a log.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { fromPrintable, printable } from "../../src/wire/Text.ts"
import { fromHex } from "../support/bytes.ts"
import { holds } from "../support/property.ts"

describe("printable", () => {
  it.each([
    ["alice", "alice"],
    ["", ""],
    ["O'Neil & Söhne, 名前", "O'Neil & Söhne, 名前"],
    ["two words", "two words"],
    ["\\u{1b}[2J", "\x1b[2J"],
    ["\\u{9b}31m", "\u009b31m"],
    ["one\\u{d}\\u{a}two", "one\r\ntwo"],
    ["\\u{0}\\u{7}\\u{8}\\u{7f}", "\0\x07\x08\x7f"],
    ["abc\\u{202e}gnp.exe", "abc\u202egnp.exe"],
    ["\\u{2066}\\u{2069}\\u{200b}\\u{ad}\\u{feff}", "\u2066\u2069\u200b\u00ad\ufeff"],
    ["\\u{2028}\\u{2029}\\u{85}", "\u2028\u2029\u0085"],
    ["\\u{a0}\\u{3000}", "\u00a0\u3000"],
    ["\\u{5c}u{1b}", "\\u{1b}"],
    ["\\u{d800}", "\ud800"],
    ["\\u{e0041}", "\u{e0041}"],
    ["😀𝒳", "😀𝒳"]
  ])("writes %s", (expected, text) => {
    assert.strictEqual(printable(text), expected)
  })

  it("shows bytes that are no UTF-8 as U+FFFD", () => {
    assert.strictEqual(printable(fromHex("61 ff 62 c3")), "a\ufffdb\ufffd")
    assert.strictEqual(printable(fromHex("ef bb bf 61")), "\\u{feff}a")
  })

  it("cuts at whole characters, and marks the cut", () => {
    assert.strictEqual(printable("a".repeat(255)), "a".repeat(255))
    assert.strictEqual(printable("a".repeat(256)), `${"a".repeat(255)}…`)
    assert.strictEqual(printable("😀".repeat(3), 2), "😀😀…")
    assert.strictEqual(printable("😀".repeat(255)), "😀".repeat(255))
    assert.strictEqual(printable("\n\n\n", 2), "\\u{a}\\u{a}…")
  })

  it("has only printable characters, and differs for any two texts", () => {
    const character = fc.oneof(fc.nat(0x10ffff), fc.nat(0xff)).map((point) => String.fromCodePoint(point))
    const text = fc.array(character, { maxLength: 30 }).map((characters) => characters.join(""))
    holds(
      fc.property(text, text, (one, other) => {
        assert.match(printable(one), /^[^\p{C}\p{Zl}\p{Zp}]*$/u)
        if (one !== other) assert.notStrictEqual(printable(one), printable(other))
        assert.strictEqual(fromPrintable(printable(one)), one)
      })
    )
  })

  it("is taken back only where it is one", () => {
    for (const text of ["\\u{110000}", "\\u{fffffff}", "\\u{}", "\\u{zz}"]) {
      assert.strictEqual(fromPrintable(text), text)
    }
  })

  it("never throws, on any bytes", () => {
    holds(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        assert.isAtMost(Array.from(printable(bytes)).length, 255 * "\\u{10ffff}".length + 1)
      })
    )
  })
})
