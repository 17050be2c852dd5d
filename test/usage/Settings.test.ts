/**
 * The texts of a usage store.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import { UsageSettings } from "../../src/usage/Settings.ts"

const { read } = UsageSettings.table.usageStore

describe("a usage store", () => {
  it("is a word, a path or a URL, and a URL is never shown", () => {
    const value = (text: string) => Option.getOrUndefined(read(text))
    assert.deepStrictEqual(value("auto"), { _tag: "auto" })
    assert.deepStrictEqual(value("off"), { _tag: "off" })
    assert.deepStrictEqual(value("/var/lib/u.db"), { _tag: "sqlite", path: "/var/lib/u.db" })
    assert.deepStrictEqual(value("C:\\u.db"), { _tag: "sqlite", path: "C:\\u.db" })
    for (const text of ["postgresql://alice:secret@db/usage", "postgres:///usage?host=/run/postgresql"]) {
      const store = value(text)
      assert.strictEqual(store?._tag, "postgresql")
      assert.notInclude(JSON.stringify(store), "usage")
    }
    for (const text of ["", "mysql://db/usage", "postgresql://[", "a\0b"]) assert.isUndefined(value(text))
  })
})
