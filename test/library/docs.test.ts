/**
 * The reference is complete: every export has a description, and each value an example. Examples are compiled against
 * the types of the build, as apps are.
 */
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Examples from "../support/examples.ts"

const root = join(import.meta.dirname, "../..")
const read = (file: string) => readFileSync(join(root, file), "utf8")

interface Export {
  readonly name: string
  /** What the name is in its file; undefined for the file as a namespace. */
  readonly source: string | undefined
  readonly file: string
  readonly isType: boolean
}

/** What an index exports, each with its file. */
const exportsOf = (index: string): ReadonlyArray<Export> =>
  Array.from(
    read(index).matchAll(/^export (type )?(?:\* as (\w+)|\{([^}]*)\}) from "([^"]+)"/gm),
    ([, type, namespace, names = "", from = ""]): ReadonlyArray<Export> => {
      const file = join(dirname(index), from)
      if (namespace) return [{ name: namespace, source: undefined, file, isType: type !== undefined }]
      return names
        .split(",")
        .map((each) => each.trim())
        .filter((each) => each !== "")
        .map((each) => {
          const [, own, source = "", as] = /^(type )?(\w+)(?: as (\w+))?$/.exec(each) ?? []
          return { name: as ?? source, source, file, isType: type !== undefined || own !== undefined }
        })
    }
  ).flat()

/** The documentation of an export: that of its declaration, or of a whole file. */
const documentationOf = (one: Export): string => {
  const { source, file } = one
  const text = read(file)
  const [, from] =
    new RegExp(`^export type \\{[^}]*\\b${source}\\b[^}]*\\} from "([^"]+)"`, "m").exec(text) ?? []
  if (from !== undefined) return documentationOf({ ...one, file: join(dirname(file), from) })
  if (source === undefined) return /^\/\*\*[\s\S]*?\*\//.exec(text)?.[0] ?? ""
  const at = text.search(
    new RegExp(`^export (?:declare )?(?:class|interface|const|type|function) ${source}\\b`, "m")
  )
  return /\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n$/.exec(text.slice(0, at))?.[0] ?? ""
}

const all = ["src/index.ts", "src/testing/index.ts"].flatMap(exportsOf)

/** The code of each example in a text. */
const examplesIn = (text: string): ReadonlyArray<string> =>
  Array.from(text.matchAll(/^ *\*? ?```ts\n([\s\S]*?)^ *\*? ?```/gm), ([, code = ""]) =>
    code.replace(/^ +\* ?/gm, "")
  )

const compiled: ReadonlyArray<readonly [from: string, code: string]> = [
  ...all.map((one) => [one.name, documentationOf(one)] as const),
  ["index", /^\/\*\*[\s\S]*?\*\//.exec(read("src/index.ts"))?.[0] ?? ""] as const,
  // With its members.
  ["Server", read("src/library/Server.ts").replace(/[\s\S]*^export class/m, "")] as const,
  ["AGENTS", read("AGENTS.md")] as const,
  ["embedding", read("docs/embedding.md")] as const
].flatMap(([from, text]) => examplesIn(text).map((code) => [from, code] as const))

describe("the reference", () => {
  it("finds exports", () => {
    assert.isAbove(all.length, 50)
    assert.isAbove(compiled.length, 30)
  })

  it("describes each of them", () => {
    assert.deepStrictEqual(
      all
        .filter((one) => !/\/\*\*[\s\S]*\w{3}/.test(documentationOf(one)))
        .map(({ name, file }) => `${name} of ${file}`),
      []
    )
  })

  it("has for each value when to use it, with an example", () => {
    assert.deepStrictEqual(
      all
        .filter(({ isType, name }) => !isType && !constants.has(name))
        .filter((one) => {
          const text = documentationOf(one)
          return !text.includes("**When to use**") || examplesIn(text).length === 0
        })
        .map(({ name, file }) => `${name} of ${file}`),
      []
    )
  })

  it("has examples that compile", { timeout: 120_000 }, async () => {
    const directory = join(root, "node_modules/.cache/examples")
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(directory, { recursive: true })
    for (const [index, [from, code]] of compiled.entries()) {
      writeFileSync(join(directory, `${index}-${from}.ts`), `${code}\nexport {}\n`)
    }
    assert.isTrue(existsSync(join(root, "dist/index.d.ts")), "npm run build comes first")
    const base = relative(directory, root)
    const paths = {
      "effect-socks": [`${base}/dist/index.d.ts`],
      "effect-socks/testing": [`${base}/dist/testing/index.d.ts`]
    }
    const compilerOptions = {
      noUnusedLocals: false,
      noUnusedParameters: false,
      verbatimModuleSyntax: false,
      paths
    }
    writeFileSync(
      join(directory, "tsconfig.json"),
      JSON.stringify({ extends: `${base}/tsconfig.json`, compilerOptions, include: ["."] })
    )
    const { stdout } = await promisify(execFile)(join(root, "node_modules/.bin/tsc"), ["-p", directory], {
      cwd: root
    }).catch((error: { readonly stdout: string }) => error)
    assert.strictEqual(stdout, "")
  })
})

describe("the examples", () => {
  /** They take a port of this machine, or are tests themselves. */
  const others = compiled.filter(([, code]) => /runFork|runMain|it\.effect|connect\(1080/.test(code))
  const codes = new Set(compiled.filter((one) => !others.includes(one)).map(([, code]) => code))

  it.live("run", () =>
    Effect.gen(function* () {
      const counts = yield* Effect.forEach(
        codes,
        (code) =>
          Examples.run(code).pipe(
            Effect.timeout("20 seconds"),
            Effect.tapCause((cause) => Effect.logError(code, cause)),
            Effect.orDie
          ),
        { concurrency: 8 }
      )
      assert.isAbove(counts.filter((count) => count > 0).length, 25)
    })
  )
})

/** Values for tests, of which a line says all. */
const constants: ReadonlySet<string> = new Set([
  "clientAddress",
  "serverAddress",
  "targetAddress",
  "pseudonym"
])
