/**
 * From a name to addresses, with name servers and files that say what a test
 * has them say.
 */
import dns from "node:dns/promises"
import fs from "node:fs/promises"
import { assert, beforeEach, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import { TestClock } from "effect/testing"
import { Resolver } from "../../src/network/Resolver.ts"
import * as Authorize from "../../src/policy/Authorize.ts"
import { Policy } from "../../src/policy/Policy.ts"
import * as Config from "../../src/server/Config.ts"
import { replaceOfNode } from "../support/replaced.ts"
import { access, targetOf } from "../support/rules.ts"
import { settled } from "../support/streams.ts"

/** What a name server says: addresses, an error code, or nothing at all. */
type Answer = ReadonlyArray<string> | string | "silence" | Promise<ReadonlyArray<string>>

const world = {
  files: {} as Record<string, string>,
  records: {} as Record<string, { v4?: Answer; v6?: Answer }>,
  asked: [] as Array<string>,
  /** How long answers hold, in seconds. */
  ttl: 60
}

replaceOfNode(fs, {
  readFile: async (path: string) => world.files[path] ?? Promise.reject(new Error("ENOENT"))
})

const answer = async (name: string, family: "v4" | "v6") => {
  world.asked.push(`${name} ${family}`)
  const answer = Object.hasOwn(world.records, name)
    ? (world.records[name]?.[family] ?? "ENODATA")
    : "ENOTFOUND"
  if (answer === "silence") return new Promise(() => {})
  if (typeof answer === "string") throw Object.assign(new Error(answer), { code: answer })
  return (await answer).map((address) => ({ address, ttl: world.ttl }))
}

replaceOfNode(dns, {
  Resolver: class {
    resolve4 = (name: string) => answer(name, "v4")
    resolve6 = (name: string) => answer(name, "v6")
  }
})

beforeEach(() => {
  world.files = {}
  world.records = {}
  world.asked = []
  world.ttl = 60
})

/** An answer, and what gives it. */
const later = () => {
  let give: (addresses: ReadonlyArray<string>) => void = () => {}
  return [
    new Promise<ReadonlyArray<string>>((resolve) => (give = resolve)),
    (a: ReadonlyArray<string>) => give(a)
  ] as const
}

const resolving = (name: string) =>
  Effect.flatMap(Resolver, ({ resolve }) => resolve(Host.domainNameFromStringUnsafe(name))).pipe(
    Effect.map((addresses) => addresses.map(NetAddress.formatIp)),
    Effect.mapError(({ _tag }) => _tag)
  )

const layer = Layer.provide(Resolver.layer, Config.layer())

describe("Resolver", () => {
  it.effect("returns both families by turns, IPv6 first", () =>
    Effect.gen(function* () {
      world.records = {
        "both.example": { v4: ["192.0.2.1", "192.0.2.2", "192.0.2.3"], v6: ["2001:db8::1", "2001:db8::2"] },
        "four.example": { v4: ["192.0.2.1"] },
        "six.example": { v6: ["2001:db8::1"] }
      }
      assert.deepStrictEqual(yield* resolving("both.example"), [
        "2001:db8::1",
        "192.0.2.1",
        "2001:db8::2",
        "192.0.2.2",
        "192.0.2.3"
      ])
      assert.deepStrictEqual(yield* resolving("four.example"), ["192.0.2.1"])
      assert.deepStrictEqual(yield* resolving("six.example"), ["2001:db8::1"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("waits a short time for the other family", () =>
    Effect.gen(function* () {
      world.records = { "slow.example": { v4: ["192.0.2.1"], v6: "silence" } }
      const fiber = yield* Effect.forkChild(resolving("slow.example"))
      yield* settled
      yield* TestClock.adjust("49 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["192.0.2.1"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("takes a slow answer, and waits a short time for the other family from then on", () =>
    Effect.gen(function* () {
      const [six, answerSix] = later()
      const [four, answerFour] = later()
      world.records = { "slow.example": { v6: six, v4: "silence" }, "slower.example": { v6: six, v4: four } }
      const slow = yield* Effect.forkChild(resolving("slow.example"))
      const slower = yield* Effect.forkChild(resolving("slower.example"))
      yield* settled
      yield* TestClock.adjust("200 millis")
      answerSix(["2001:db8::1"])
      yield* settled
      yield* TestClock.adjust("49 millis")
      answerFour(["192.0.2.1"])
      yield* settled
      assert.deepStrictEqual(yield* Fiber.join(slower), ["2001:db8::1", "192.0.2.1"])
      assert.isUndefined(slow.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Fiber.join(slow), ["2001:db8::1"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("returns the addresses of the slower family later, from the running query", () =>
    Effect.gen(function* () {
      const [four, answerFour] = later()
      world.records = {
        "slow.example": { v6: ["2001:db8::1"], v4: four },
        "both.example": { v4: [], v6: ["2001:db8::1"] }
      }
      const { resolve } = yield* Resolver
      const name = Host.domainNameFromStringUnsafe
      assert.isUndefined((yield* resolve(name("both.example"))).late)
      const resolved = yield* Effect.forkChild(resolve(name("slow.example")))
      yield* settled
      yield* TestClock.adjust("50 millis")
      const { late } = yield* Fiber.join(resolved)
      const fiber = yield* Effect.forkChild(late!)
      yield* settled
      answerFour(["192.0.2.1"])
      assert.deepStrictEqual((yield* Fiber.join(fiber)).map(NetAddress.formatIp), ["192.0.2.1"])
      assert.lengthOf(world.asked, 4)
    }).pipe(Effect.provide(layer))
  )

  it.effect("has no later addresses if the servers never answer", () =>
    Effect.gen(function* () {
      world.records = { "slow.example": { v4: ["192.0.2.1"], v6: "silence" } }
      const { resolve } = yield* Resolver
      const resolved = yield* Effect.forkChild(resolve(Host.domainNameFromStringUnsafe("slow.example")))
      yield* settled
      yield* TestClock.adjust("50 millis")
      const fiber = yield* Effect.forkChild((yield* Fiber.join(resolved)).late!)
      yield* settled
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* Fiber.join(fiber), [])
    }).pipe(Effect.provide(layer))
  )

  it.effect("is content with one family if the other fails", () =>
    Effect.gen(function* () {
      world.records = { "half.example": { v4: ["192.0.2.1"], v6: "ESERVFAIL" } }
      assert.deepStrictEqual(yield* resolving("half.example"), ["192.0.2.1"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("distinguishes a name without addresses from servers without an answer", () =>
    Effect.gen(function* () {
      world.records = {
        "empty.example": {},
        "broken.example": { v4: "ESERVFAIL", v6: "ESERVFAIL" },
        "half.example": { v4: "ESERVFAIL" },
        "late.example": { v4: "ETIMEOUT", v6: "ETIMEOUT" }
      }
      const failure = (name: string) => Effect.flip(resolving(name))
      assert.strictEqual(yield* failure("none.example"), "NameNotFound")
      assert.strictEqual(yield* failure("empty.example"), "NameNotFound")
      assert.strictEqual(yield* failure("broken.example"), "ResolutionFailed")
      assert.strictEqual(yield* failure("half.example"), "ResolutionFailed")
      assert.strictEqual(yield* failure("late.example"), "ResolutionTimeout")
    }).pipe(Effect.provide(layer))
  )

  it.effect("waits five seconds for servers that do not answer", () =>
    Effect.gen(function* () {
      world.records = { "silent.example": { v4: "silence", v6: "silence" } }
      const fiber = yield* Effect.forkChild(Effect.flip(resolving("silent.example")))
      yield* settled
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(fiber), "ResolutionTimeout")
    }).pipe(Effect.provide(layer))
  )

  it.effect("sends no query for localhost", () =>
    Effect.gen(function* () {
      for (const name of ["localhost", "app.localhost"]) {
        assert.sameMembers(yield* resolving(name), ["127.0.0.1", "::1"])
      }
      assert.deepStrictEqual(world.asked, [])
    }).pipe(Effect.provide(layer))
  )

  it.effect("reads the hosts file first", () =>
    Effect.gen(function* () {
      world.files["/etc/hosts"] = "192.0.2.9 printer # upstairs\n"
      assert.deepStrictEqual(yield* resolving("printer"), ["192.0.2.9"])
      assert.deepStrictEqual(world.asked, [])
    }).pipe(Effect.provide(layer))
  )

  it.effect("sends queries for the given name only", () =>
    Effect.gen(function* () {
      world.files["/etc/resolv.conf"] =
        "nameserver 192.0.2.53\nsearch corp.example\noptions ndots:5\ndomain corp.example\n"
      world.records = {
        "intranet.corp.example": { v4: ["192.0.2.1"] },
        "db.corp.example": { v4: ["192.0.2.2"] }
      }
      for (const name of ["intranet", "db"]) {
        assert.strictEqual(yield* Effect.flip(resolving(name)), "NameNotFound")
      }
      assert.sameMembers(world.asked, ["intranet v6", "intranet v4", "db v6", "db v4"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("reads the system's files again when they may have changed", () =>
    Effect.gen(function* () {
      world.files["/etc/hosts"] = "192.0.2.1 printer\n"
      assert.deepStrictEqual(yield* resolving("printer"), ["192.0.2.1"])
      world.files["/etc/hosts"] = "192.0.2.2 printer\n"
      assert.deepStrictEqual(yield* resolving("printer"), ["192.0.2.1"])
      yield* TestClock.adjust("11 seconds")
      assert.deepStrictEqual(yield* resolving("printer"), ["192.0.2.2"])
    }).pipe(Effect.provide(layer))
  )
})

describe("Resolver with settings", () => {
  const ip = NetAddress.ipFromStringUnsafe
  const name = Host.domainNameFromStringUnsafe("own.example")
  const settings = Config.layer({
    prefer: "ipv4",
    staticHosts: [
      { name, address: ip("192.0.2.7") },
      { name, address: ip("2001:db8::7") }
    ]
  })

  it.effect("alternates the families from the preferred one", () =>
    Effect.gen(function* () {
      world.records = { "both.example": { v4: ["192.0.2.1", "192.0.2.2"], v6: ["2001:db8::1"] } }
      assert.deepStrictEqual(yield* resolving("both.example"), ["192.0.2.1", "2001:db8::1", "192.0.2.2"])
    }).pipe(Effect.provide(Layer.provide(Resolver.layer, settings)))
  )

  it.effect("takes names of the settings before the hosts file, in their order, without a query", () =>
    Effect.gen(function* () {
      world.files["/etc/hosts"] = "192.0.2.9 own.example\n"
      assert.deepStrictEqual(yield* resolving("own.example"), ["192.0.2.7", "2001:db8::7"])
      assert.strictEqual(yield* Effect.flip(resolving("constructor")), "NameNotFound")
      assert.sameMembers(world.asked, ["constructor v4", "constructor v6"])
    }).pipe(Effect.provide(Layer.provide(Resolver.layer, settings)))
  )
})

describe("Resolver's cache", () => {
  /** How often each of these queries was made since the last time. */
  const queries = (): ReadonlyArray<string> => world.asked.splice(0)

  it.effect("sends one query for the time of the TTL, and then another", () =>
    Effect.gen(function* () {
      world.records = { "web.example": { v4: ["192.0.2.1"], v6: ["2001:db8::1"] } }
      for (let i = 0; i < 5; i++) yield* resolving("web.example")
      assert.sameMembers([...queries()], ["web.example v6", "web.example v4"])
      world.records = { "web.example": { v4: ["192.0.2.2"] } }
      yield* TestClock.adjust("59 seconds")
      assert.deepStrictEqual(yield* resolving("web.example"), ["2001:db8::1", "192.0.2.1"])
      assert.deepStrictEqual(queries(), [])
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(yield* resolving("web.example"), ["192.0.2.2"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("holds no decisions: cached addresses are judged each time", () => {
    let isAllowed = true
    const policy = Policy.make((_, address) =>
      address === undefined
        ? { verdict: "undecided", rule: "none" }
        : { verdict: isAllowed ? "allow" : "deny", rule: "now" }
    )
    const granted = Authorize.authorize({
      ...access({ to: "web.example:443" }),
      target: targetOf("web.example:443")
    }).pipe(
      Effect.map((permit) => permit.map(({ address }) => NetAddress.formatIp(address))),
      Effect.catchTag("NotAllowed", () => Effect.succeed("denied")),
      Effect.provideService(Policy, policy)
    )
    return Effect.gen(function* () {
      world.records = { "web.example": { v4: ["192.0.2.1"], v6: [] } }
      assert.deepStrictEqual(yield* granted, ["192.0.2.1"])
      isAllowed = false
      assert.strictEqual(yield* granted, "denied")
      isAllowed = true
      assert.deepStrictEqual(yield* granted, ["192.0.2.1"])
      assert.lengthOf(queries(), 2)
    }).pipe(Effect.provide(layer))
  })

  it.effect("keeps no answer with a TTL of zero, and none longer than an hour", () =>
    Effect.gen(function* () {
      world.records = { "web.example": { v4: ["192.0.2.1"], v6: ["2001:db8::1"] } }
      world.ttl = 0
      yield* resolving("web.example")
      yield* resolving("web.example")
      assert.lengthOf(queries(), 4)
      world.ttl = 1_000_000
      yield* resolving("web.example")
      queries()
      yield* TestClock.adjust("3599 seconds")
      yield* resolving("web.example")
      assert.deepStrictEqual(queries(), [])
      yield* TestClock.adjust("1 seconds")
      yield* resolving("web.example")
      assert.lengthOf(queries(), 2)
    }).pipe(Effect.provide(layer))
  )

  it.effect("remembers for a while that a name does not exist, and for a moment that servers fail", () =>
    Effect.gen(function* () {
      world.records = { "broken.example": { v4: "ESERVFAIL", v6: "ESERVFAIL" } }
      for (const name of ["none.example", "none.example", "broken.example", "broken.example"]) {
        yield* Effect.flip(resolving(name))
      }
      assert.lengthOf(queries(), 4)
      yield* TestClock.adjust("1 seconds")
      for (const name of ["none.example", "broken.example"]) yield* Effect.flip(resolving(name))
      assert.sameMembers([...queries()], ["broken.example v6", "broken.example v4"])
      yield* TestClock.adjust("9 seconds")
      yield* Effect.flip(resolving("none.example"))
      assert.lengthOf(queries(), 2)
    }).pipe(Effect.provide(layer))
  )

  it.effect("keeps an alias without addresses no longer than a name that does not exist", () =>
    Effect.gen(function* () {
      // The answer has a CNAME record and nothing behind it, which is not an error to c-ares.
      world.records = { "alias.example": { v4: [], v6: [] } }
      assert.strictEqual(yield* Effect.flip(resolving("alias.example")), "NameNotFound")
      world.records = { "alias.example": { v4: ["192.0.2.1"], v6: [] } }
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual(yield* Effect.flip(resolving("alias.example")), "NameNotFound")
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(yield* resolving("alias.example"), ["192.0.2.1"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("takes a TTL with its highest bit set as zero", () =>
    Effect.gen(function* () {
      world.records = { "web.example": { v4: ["192.0.2.1"], v6: ["2001:db8::1"] } }
      world.ttl = 2 ** 31
      yield* resolving("web.example")
      yield* resolving("web.example")
      assert.lengthOf(queries(), 4)
    }).pipe(Effect.provide(layer))
  )

  it.effect("makes one query for concurrent requests, and lets it end when the requests are gone", () =>
    Effect.gen(function* () {
      world.records = { "slow.example": { v4: "silence", v6: "silence" } }
      const fibers = yield* Effect.forEach(Array.from({ length: 10 }), () =>
        Effect.forkChild(resolving("slow.example"))
      )
      yield* settled
      assert.lengthOf(queries(), 2)
      yield* Fiber.interruptAll(fibers)
      yield* Effect.forkChild(resolving("slow.example"))
      yield* settled
      assert.deepStrictEqual(queries(), [])
    }).pipe(Effect.provide(layer))
  )

  it.effect("sends new queries to other name servers", () =>
    Effect.gen(function* () {
      world.files["/etc/resolv.conf"] = "nameserver 192.0.2.53\n"
      world.records = { "web.example": { v4: ["192.0.2.1"], v6: [] } }
      yield* resolving("web.example")
      queries()
      world.files["/etc/resolv.conf"] = "nameserver 192.0.2.54\n"
      yield* TestClock.adjust("11 seconds")
      yield* resolving("web.example")
      assert.lengthOf(queries(), 2)
    }).pipe(Effect.provide(layer))
  )

  it.effect("keeps a bounded number of addresses of an answer", () =>
    Effect.gen(function* () {
      world.records = {
        "many.example": { v4: Array.from({ length: 200 }, (_, i) => `192.0.2.${i}`), v6: [] }
      }
      assert.lengthOf(yield* resolving("many.example"), 32)
    }).pipe(Effect.provide(layer))
  )
})

describe("Resolver.layerFixed", () => {
  const table = Resolver.layerFixed({ "target.example": [NetAddress.ipFromStringUnsafe("192.0.2.1")] })

  it.effect("has the names of its table, and no property of every object", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* resolving("target.example"), ["192.0.2.1"])
      for (const name of ["other.example", "constructor", "__proto__"]) {
        assert.strictEqual(yield* Effect.flip(resolving(name)), "NameNotFound")
      }
    }).pipe(Effect.provide(table))
  )
})
