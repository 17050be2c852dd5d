/**
 * The help: what is on its one page, and where every setting is.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Help from "../../src/cli/Help.ts"
import * as Settings from "../../src/cli/Settings.ts"
import * as Section from "../../src/config/Section.ts"

describe("help", () => {
  it("has every section in one group", () => {
    const grouped = Help.groups.flatMap(({ sections }) => sections)
    assert.strictEqual(grouped.length, Settings.sections.length)
    assert.sameMembers([...grouped], [...Settings.sections])
  })

  it("has the usual settings on one page, in lines that fit a terminal", () => {
    const lines = Help.short(["check", "explain", "schema", "hash-password", "help"])
    assert.isAtMost(lines.length, 25)
    for (const line of lines) assert.isAtMost(line.length, 100, line)
    assert.include(lines.join("\n"), "--listen ADDRESS")
  })

  it("of a group has its settings, in lines as wide as the terminal", () => {
    const lines = Help.long("users", 60)
    assert.include(lines, "  --users-file FILE")
    assert.include(lines, "  users:")
    assert.notInclude(lines.join("\n"), "--listen")
    // Words that are longer than a line are not broken.
    for (const line of lines.filter((each) => each.startsWith("      "))) {
      assert.isTrue(line.length <= 60 || line.startsWith("      SOCKS_"), line)
    }
  })

  it("of a setting has that one alone, and its group", () => {
    const lines = Help.long("idle-timeout", 80)
    assert.match(lines[0]!, /\(connections\)$/)
    assert.deepStrictEqual(
      lines.filter((line) => /^ {2}\S/.test(line)),
      ["  --idle-timeout DURATION"]
    )
    assert.include(Help.long("routes", 80), "  routes:")
    assert.deepStrictEqual(Help.long("nothing", 80), [])
  })

  it("of a setting is found by its flag, its variable and its key", () => {
    for (const text of ["--idle-timeout", "SOCKS_IDLE_TIMEOUT", "idle-timeout", "idle-timeout:"]) {
      assert.strictEqual(Help.topicOf(text), "idle-timeout")
    }
    for (const text of ["-", "--json", "users-of", "SOCKS_", "check"])
      assert.strictEqual(Help.topicOf(text), text)
  })

  it("of all has every setting", () => {
    const text = Help.long("all", 80).join("\n")
    for (const name of Object.keys(Section.table(Settings.sections))) {
      const key = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
      assert.match(text, new RegExp(`\\n  (--${key}( |\\n)|${key}:)`))
    }
  })
})
