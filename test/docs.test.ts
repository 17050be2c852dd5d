/**
 * What the documentation says is what the program does, and its links lead somewhere.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, expect, it } from "@effect/vitest"
import * as Help from "../src/cli/Help.ts"
import * as Settings from "../src/cli/Settings.ts"
import * as UsageFlags from "../src/cli/UsageFlags.ts"
import * as Conditions from "../src/config/Conditions.ts"
import * as Section from "../src/config/Section.ts"
import * as Setting from "../src/config/Setting.ts"
import * as Definitions from "../src/metrics/Definitions.ts"
import { answers } from "../src/Reply.ts"

const root = fileURLToPath(new URL("..", import.meta.url))

const text = (path: string) => readFileSync(join(root, path), "utf8")

const pages = [
  "README.md",
  "bench/README.md",
  ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)
].filter((path) => path.endsWith(".md"))

/** The page of all settings, as it has to stand there. `npx vitest run test/docs.test.ts -u` writes it. */
const settingsPage = (): string => {
  const rows = (name: string, setting: Setting.Table[string]): ReadonlyArray<string> => {
    const key = Setting.flagName(name)
    const origin = Setting.isText(setting)
      ? [
          `\`${Setting.variableName(name)}\``,
          ...(setting.isConfigFile ? [] : [`\`${key}\` in the config file`])
        ]
      : ["only in the config file"]
    return [
      `### \`${Setting.isText(setting) ? `--${key} ${setting.metavar}`.trim() : `${key}:`}\``,
      "",
      `${setting.description}.`,
      "",
      [...origin, `default: ${setting.defaultText}`].join(" · "),
      ""
    ].map((line) => (line.startsWith("#") ? line : line.replaceAll("*", "\\*")))
  }
  return [
    "# Settings",
    "",
    "All settings, by groups. A flag beats its variable, which beats the config file, which beats the default. Lists repeat the flag, or have",
    "commas in it; in a variable, users are separated by line breaks and other lists by commas. Durations are `500ms`, `10s`, `15m`, `1h`, sizes",
    "`512KiB`, `10MiB`, `5GB` (bytes), bandwidth the same a second. `effect-socks help SETTING` and `help GROUP` print the same in a terminal.",
    "",
    ...Help.groups.flatMap(({ name, title, sections }) => [
      `## ${title} (\`${name}\`)`,
      "",
      ...Object.entries(Section.table(sections)).flatMap(([name, setting]) => rows(name, setting))
    ])
  ].join("\n")
}

/** The page of metrics, with the table of all of them. `npx vitest run test/docs.test.ts -u` writes it. */
const metricsPage = (): string => {
  const rows = Definitions.all.map(({ name, type, labels, help, merge }) => {
    const all = [...labels, ...(merge === "worker" ? ["worker"] : [])].map((label) => `\`${label}\``)
    return `| \`${name}\` | ${type.toLowerCase()} | ${all.join(", ")} | ${help} |`
  })
  return text("docs/metrics.md").replace(
    /(\| metric \| type \| labels \| meaning \|\n\|---\|---\|---\|---\|\n)(?:\|.*\n)*/,
    (_, head: string) => `${head}${rows.join("\n")}\n`
  )
}

/** The headings of a page, as links name them. */
const anchors = (path: string): ReadonlySet<string> =>
  new Set(
    text(path)
      .split("\n")
      .filter((line) => /^#+ /.test(line))
      .map((line) =>
        line
          .replace(/^#+ /, "")
          .toLowerCase()
          .replaceAll(/[^\w\- ]/g, "")
          .replaceAll(" ", "-")
      )
  )

const withoutCode = (markdown: string) => markdown.replaceAll(/```[\s\S]*?```/g, "")

describe("the documentation", () => {
  it("has every metric", async () => {
    await expect(metricsPage()).toMatchFileSnapshot("../docs/metrics.md")
  })

  it("has every setting as it is", async () => {
    await expect(settingsPage()).toMatchFileSnapshot("../docs/settings.md")
  })

  it("has every reply", () => {
    const replies = text("docs/operate.md")
    for (const { socks } of Object.values(answers)) {
      if (socks.message === "reply")
        assert.include(replies, `\n| ${socks.code.toString().padStart(2, "0")} |`)
    }
  })

  it("has every condition that a rule can have", () => {
    const conditions = text("docs/users-and-rules.md")
    for (const [key] of Conditions.list) assert.match(conditions, new RegExp(`^\\| .*\`${key}\`.* \\|`, "m"))
  })

  it("names only existing files", () => {
    for (const page of ["docs/architecture.md", "docs/how-it-works.md"]) {
      const named = text(page).matchAll(/(?<![\w/])(?:[a-z]\w*\/)+[A-Z]\w*/g)
      for (const [name] of named)
        assert.isTrue(
          name.startsWith("test/") || existsSync(join(root, "src", `${name}.ts`)),
          `${page}: ${name}`
        )
    }
  })

  it("shows a part of an example that is run", () => {
    const [, shown] = /```ts\n([\s\S]*?)```/.exec(text("README.md")) ?? []
    assert.include(text("examples/embed.ts"), String(shown))
  })

  it("begins with a short page", () => {
    assert.isAtMost(text("README.md").split("\n").length, 150)
  })

  it("names only existing flags", () => {
    const flags = new Set(Object.keys(Section.table(Settings.sections)).map(Setting.flagName))
    for (const page of pages.filter((path) => path.startsWith("docs/") || path === "README.md")) {
      for (const [command] of text(page).matchAll(/(?:effect-socks|dist\/main\.js) [^\n`|]*/g)) {
        for (const [, flag] of command.matchAll(/ --(?:no-)?([a-z][\w-]*)/g)) {
          assert.isTrue(flags.has(flag!) || others.has(flag!), `${page}: --${flag}`)
        }
      }
    }
  })

  for (const page of pages) {
    it(`has working links in ${page}`, () => {
      for (const [, link] of withoutCode(text(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(link!)) continue
        const [path, anchor] = link!.split("#") as [string, string?]
        const target = path === "" ? page : normalize(join(dirname(page), path))
        assert.isTrue(existsSync(join(root, target)), `${page}: ${link}`)
        if (anchor !== undefined) assert.isTrue(anchors(target).has(anchor), `${page}: ${link}`)
      }
    })
  }
})

/** Flags of commands, and of the program as such. */
const others = new Set([
  "for",
  "healthcheck",
  "json",
  "reason",
  "to",
  "group",
  "client",
  "command",
  "protocol",
  "at",
  "address",
  "help",
  "completions",
  "cost",
  "version",
  // The command `usage`.
  ...Object.keys(UsageFlags.flags)
])
