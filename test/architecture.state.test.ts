/**
 * That no state of a module outlives a server: a program may build several, one
 * after the other or at once, and none finds anything of another.
 *
 * What is looked for is state that a module makes when it is loaded: variables,
 * collections, buffers, results of a `make`, random values, and defaults of
 * references, which Effect makes once for a process.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"

/** The state there is, and why it is none of a server. */
const allowed: Readonly<Record<string, string>> = {
  "base/Deadline running": "empty unless a deadline is set",
  "base/EarlySignals current": "the signals of the process",
  "base/EarlySignals early": "the signals of the process",
  "base/Inspector inspector": "the inspector of the process",
  "base/InspectorAddresses last": "the result of `read` for the URL there was last",
  "base/Outlet scratch": "empty between two calls",
  "base/Output errors": "standard error of the process",
  "base/Output held": "standard output and error of the process",
  "base/Output output": "standard output of the process",
  "network/descriptors/Libc loading": "libc, and memory that is empty between two calls",
  "network/NodeInternals keys": "symbols of this version of Node",
  "network/NodeTransport transports": "makes a symbol and two functions",
  "network/NodeTransport upcoming": "empty between two reads",
  "network/Peer written": "results of `ListenAddress.format`, as long as their arguments",
  "network/SelfSigned SelfSigned": "a function that keeps nothing",
  "network/Sockets Sockets": "buffers, empty between two uses, and let go when there is no use for them",
  "network/UdpSockets UdpSockets": "two functions",
  "server/Log second": "a result of `toISOString`",
  "server/Systemd all": "the sockets that the process was given"
}

/** What a statement says that makes state. Of types only those that forbid changes are believed. */
const stateful: ReadonlyArray<RegExp> = [
  /^(?:export )?(?:let|var) (\w+)/,
  /^(?:export )?const (\w+)\b(?!: Readonly)[^=]*= new (?:Weak)?(?:Map|Set)\b/,
  /^(?:export )?const (\w+)\b(?!: Readonly)[^=]*= \[\]/,
  /^(?:export )?const (\w+)\b[^=]*= (?:Buffer\.alloc\w*|new \w+Array)\((?!0\))/,
  /^(?:export )?const (\w+)\b(?!: Schemas?\.)[^=]*= (?!(?:Schema|Logger|Issue|Command|Condition|Context)\b)(?:\w+\.)*(?:make\w*|lazily|once|memo\w*)\(/,
  /^(?:export )?const (\w+)\b[^=]*= \(\([^)]*\)[^=]*=> \{/,
  /^(?:export )?const (\w+)\b[^=]*= [^=>]*\b(?:randomBytes|randomUUID|Math\.random)\(/,
  /^(?:export )?const (\w+) = Context\.Reference(?!<Readonly).*defaultValue: \(\) => (?:new |(?:\w+\.)*make)/
]

/** The statements at the top of a file, each as one line. */
const statements = (text: string): ReadonlyArray<string> =>
  text
    .split(/\n(?=[^\s)}\]])/)
    .filter((statement) => !/^(?:\/\*\*|\/\/|import\b)/.test(statement))
    .map((statement) => statement.replace(/\s+/g, " "))

const found = (text: string): ReadonlyArray<string> =>
  statements(text).flatMap((statement) => {
    const name = stateful.map((pattern) => pattern.exec(statement)?.[1]).find((name) => name !== undefined)
    return name === undefined ? [] : [name]
  })

const src = join(import.meta.dirname, "../src")

const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts"))

describe("the state of a module", () => {
  it("is found, however it is written", () => {
    const text = `
import { randomBytes } from "node:crypto"

/** A comment: let it = 1 */
let count = 0
export const table = new Map<string, number>()
const byClient: WeakMap<object, string> =
  new WeakMap()
const waiting: Array<string> = []
const buffer = Buffer.allocUnsafe(1024)
const budget = LineBudget.make({ each: 1, all: 2 })
const key = randomBytes(32).toString("base64")
const shared = (() => {
  const all = new Set()
  return { add: (one: string) => all.add(one) }
})()
export const Log = Context.Reference<Log>("Log", {
  defaultValue: () => make()
})
`
    assert.deepStrictEqual(found(text), [
      ...["count", "table", "byClient", "waiting", "buffer", "budget", "key", "shared", "Log"]
    ])
  })

  it("is neither a value that a call makes nor a value that never changes", () => {
    const text = `
const names: ReadonlySet<string> = new Set(["a", "b"])
const none: ReadonlyArray<never> = []
const nothing = new Uint8Array(0)
export const make = (): Map<string, number> => {
  const all = new Map()
  let count = 0
  return all
}
export const newKey = (): string => randomBytes(32).toString("base64")
`
    assert.deepStrictEqual(found(text), [])
  })

  it("is not the state of a server", () => {
    const all = files.flatMap((file) =>
      found(readFileSync(join(src, file), "utf8")).map((name) => `${file.replace(/\.ts$/, "")} ${name}`)
    )
    assert.deepStrictEqual(all.sort(), Object.keys(allowed).sort())
  })
})
