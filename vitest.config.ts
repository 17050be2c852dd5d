import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

// The reporter of failures needs it, and Node 20 does not have it.
const groupBy = <A, K>(items: Iterable<A>, keyOf: (item: A, index: number) => K): Map<K, Array<A>> => {
  const groups = new Map<K, Array<A>>()
  let index = 0
  for (const item of items) {
    const key = keyOf(item, index++)
    groups.set(key, [...(groups.get(key) ?? []), item])
  }
  return groups
}
if (!("groupBy" in Map)) Object.assign(Map, { groupBy })

const tests = readdirSync("test", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.ts"))
  .map((file) => `test/${file.replaceAll("\\", "/")}`)

/** The tests with this in their text. */
const having = (part: RegExp) => tests.filter((file) => part.test(readFileSync(file, "utf8")))

/** Those of whole programs that other programs are clients of. */
const clients = having(/support\/clients\.ts"/)

/** Those of whole programs, and of sockets, which go by the clock of the machine. */
const real = "test/e2e/**/*.test.ts"

/**
 * A machine that CI shares may stand still for seconds. The report names each test that was tried again.
 * Tests that go by no clock are not: what fails once there, with a seed of chance, is a fault.
 */
const retry = process.env.CI ? 2 : 0

export default defineConfig({
  resolve: {
    // The examples import the package by its name; their tests run its sources.
    alias: {
      "effect-socks/testing": fileURLToPath(new URL("src/testing/index.ts", import.meta.url)),
      "effect-socks": fileURLToPath(new URL("src/index.ts", import.meta.url))
    }
  },
  test: {
    // For machines that are busy: a test that takes so long waits for what does not come.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What a test prints is of use when it fails.
    silent: "passed-only",
    // For two cores: most tests of whole programs wait for something. With more, threads that compute hashes get no turn.
    maxWorkers: 3,
    tags: [
      {
        name: "transport",
        description:
          "How connections are accepted, made, relayed and ended: what each transport does in its own way"
      }
    ],
    projects: [
      // A process loads the sources once for all of its tests. That takes longer than most of the tests.
      {
        extends: true,
        test: {
          name: "shared",
          include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: [...clients, real],
          isolate: false
        }
      },
      {
        extends: true,
        test: { name: "e2e", include: [real], exclude: clients, isolate: false, retry }
      },
      { extends: true, test: { name: "clients", include: clients, isolate: false, retry } }
    ]
  }
})
