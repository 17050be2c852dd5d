/**
 * What is read fast is read as everything is.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as fc from "fast-check"
import * as Slices from "../../src/base/Slices.ts"
import * as Yaml from "../../src/config/Yaml.ts"
import { holds } from "../support/property.ts"

const variable = (name: string) => (name === "SET" ? Option.some("0600") : Option.none())

type Paths = ReadonlyArray<ReadonlyArray<PropertyKey>>

const plainly = (text: string, paths: Paths = []) => Slices.runSync(Yaml.parsePlain(text, variable, paths))

/** Every path in a value. */
const pathsOf = (value: unknown, path: ReadonlyArray<PropertyKey> = []): Paths => {
  const entries = Array.isArray(value)
    ? value.map((child, index) => [index, child] as const)
    : Object.entries(typeof value === "object" && value !== null ? value : {})
  return [path, ...entries.flatMap(([key, child]) => pathsOf(child, [...path, key]))]
}

const placesOf = ({ at, key, children }: Yaml.Written): unknown => ({
  at,
  key,
  children: Object.fromEntries(Array.from(children, ([key, child]) => [String(key), placesOf(child)]))
})

/** Whether it is read fast; then to the same value, with everything at the same place. */
const agrees = Effect.fnUntraced(function* (text: string) {
  const fast = plainly(text)
  if (fast === undefined) return false
  const { written, errors } = yield* Yaml.parse(text, variable)
  assert.deepStrictEqual(errors, [], text)
  assert.deepStrictEqual(fast.value, written?.value, text)
  const placed = plainly(text, pathsOf(fast.value))
  if (placed && written) assert.deepStrictEqual(placesOf(placed), placesOf(written), text)
  return true
})

const plain: ReadonlyArray<string> = [
  "a: 1\nb: true\nc: text with spaces  # comment\nd:\ne: ~\nf: 0600\ng: 1e3\nh: 'it''s'\ni: \"a\\n\\u00e4\"\n",
  "---\n# comment\n\nrules:\n  - name: x\n    to: [a.example:443, 10.0.0.0/8]\n  - { deny: true, to: h.example }\n",
  "rules:\n- a\n- b: 1\n  c: 2\n-\n  d: 3\n- - 1\n  - 2\nlast: x",
  '{"listen":["127.0.0.1:1080"],"rules":[{"name":"a","deny":true},{"allow":true}],"n":-1.5}',
  '{\n\t"a": [\n\t\t1,\n\t\t"x"\n\t],\n\t"b": {}\n}\n',
  `a: \${SET}\nb: '\${SET}'\nc: $\${SET}\n`,
  "a: [\n  1, # one\n  2\n ]\nb: http://example.com/#x\r\nc: -x\r\n"
]

const other: ReadonlyArray<string> = [
  "",
  "# nothing",
  "a: &x 1\nb: *x\n",
  "a: |\n  text\n",
  "a: b\n  c\n",
  "a: 1\na: 2\n",
  "a: b: c\n",
  "a: [1, 2\n",
  `a: \${UNSET}\n`,
  "a: !tag x\n",
  "a: 1\n---\nb: 2\n",
  "a:\n\t- 1\n",
  "  a: 1\n b: 2\n",
  "a: [1]\n]\n",
  "a: [b: c]\n",
  "a: {b}\n",
  "? a\n: b\n",
  "<<: { a: 1 }\n",
  "__proto__: 1\n",
  "a: [\n1\n]\n",
  "a: [\n\t1\n ]\n",
  '{\n\t"a": [\n\t... #\n]}\n',
  '{ "a": 1\n#\n}\n',
  "a:\n-\n#\\b: c\n 3\n",
  "a: 'b\n c'\n",
  '"a":1\n',
  `a: ${"[".repeat(60)}${"]".repeat(60)}\n`
]

describe("plain YAML", () => {
  for (const text of plain) {
    it.effect(`is read fast: ${JSON.stringify(text).slice(0, 50)}`, () =>
      Effect.map(agrees(text), (isFast) => assert.isTrue(isFast))
    )
  }

  it("excludes texts with other YAML features, and malformed texts", () => {
    assert.deepStrictEqual(
      other.filter((text) => plainly(text) !== undefined),
      []
    )
  })

  it.effect("includes the examples", () =>
    Effect.gen(function* () {
      const pages = [
        ...["README.md", "docs/operate.md", "docs/users-and-rules.md", "docs/sandbox.md"],
        ...["docs/routes.md", "docs/names-and-egress.md"]
      ]
      const examples = pages.flatMap((page) => {
        const text = readFileSync(join(import.meta.dirname, "../..", page), "utf8")
        return Array.from(text.matchAll(/```yaml\n(.*?)```/gs), ([, yaml]) => yaml!)
      })
      assert.isNotEmpty(examples)
      for (const text of examples) yield* agrees(text)
    })
  )

  const piece = fc.constantFrom(
    ..."abAB019 -:#,[]{}'\"\\\n\n\t~.*&!|>%@`?$_/<=".split(""),
    ...[
      "a: ",
      "- ",
      "  ",
      "\n  ",
      "\n- ",
      "---",
      "...",
      ": ",
      " #",
      "''",
      '\\"',
      "null",
      `\${SET}`,
      "\n    "
    ],
    ...["a: [", "b: {", "}\n", "]\n", "c: x\n", "\r\n", "é", "\u00a0", "<<: "]
  )
  it.effect("has the same values as with the package, for generated texts", () =>
    Effect.promise(() =>
      holds(
        fc.asyncProperty(fc.array(piece, { maxLength: 24 }), (pieces) =>
          Effect.runPromise(Effect.asVoid(agrees(pieces.join(""))))
        ),
        { numRuns: 1000 }
      )
    )
  )

  it.effect("has the same values as with the package, for texts with replaced parts", () =>
    Effect.promise(() =>
      holds(
        fc.asyncProperty(
          fc.constantFrom(...plain),
          fc.nat(200),
          fc.nat(4),
          fc.array(piece, { maxLength: 3 }),
          (text, at, length, pieces) =>
            Effect.runPromise(
              Effect.asVoid(
                agrees(
                  text.slice(0, at % text.length) + pieces.join("") + text.slice((at % text.length) + length)
                )
              )
            )
        ),
        { numRuns: 1000 }
      )
    )
  )
})
