/**
 * What the README says of settings and replies is what the program does.
 */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Settings from "../src/cli/Settings.ts"
import * as Setting from "../src/config/Setting.ts"
import { answers } from "../src/Reply.ts"

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")

const example = (name: string) => readFileSync(new URL(`../examples/${name}`, import.meta.url), "utf8")

/** The reference, as it has to stand there. */
const reference = [
  "| flag | variable | default | |",
  "|---|---|---|---|",
  ...Object.entries<Setting.Table[string]>(Settings.table).map(([name, setting]) => {
    if (!Setting.isText(setting)) {
      return `| \`${Setting.flagName(name)}\` | only in the config file | ${setting.defaultText} | ${setting.description} |`
    }
    const flag = [`--${Setting.flagName(name)}`, setting.metavar].join(" ").trim()
    return `| \`${flag}\` | \`${Setting.variableName(name)}\` | ${setting.defaultText} | ${setting.description} |`
  })
].join("\n")

describe("README", () => {
  it("lists every setting as it is", () => {
    const [, listed] = /<!-- settings -->\n([\s\S]*)\n<!-- \/settings -->/.exec(readme) ?? []
    assert.strictEqual(listed, reference)
  })

  it("shows the examples as they are run", () => {
    const [embedding, testing] = Array.from(readme.matchAll(/```ts\n([\s\S]*?)```/g), ([, code]) => code!)
    assert.strictEqual(testing, example("testing.test.ts"))
    assert.include(example("embed.ts"), String(embedding))
  })

  it("lists every reply there is", () => {
    for (const { socks } of Object.values(answers)) {
      if (socks.message === "reply") assert.include(readme, `\n| ${socks.code.toString().padStart(2, "0")} |`)
    }
  })
})
