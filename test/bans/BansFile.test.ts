/**
 * Bans and their file: each follows the other.
 */
import { lstatSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import { TestClock } from "effect/testing"
import { Bans } from "../../src/bans/Bans.ts"
import * as BansFile from "../../src/bans/BansFile.ts"
import * as Hmac from "../../src/base/Hmac.ts"
import { captured } from "../support/logs.ts"
import * as Temporary from "../support/temporary.ts"

const ban = (network: string) =>
  Effect.flatMap(Bans, (bans) => bans.ban(IpNetwork.fromStringUnsafe(network), Duration.hours(1), "test"))

const banned = Effect.flatMap(Bans, ({ list }) =>
  Effect.map(list, (bans) => bans.map(({ network }) => IpNetwork.format(network)).sort())
)

const bansLayer = Layer.provide(Bans.layer, Hmac.layer)

/** A file, with bans as if they were of a program just started. */
const started = (path: string) =>
  Effect.gen(function* () {
    const { look, finish } = yield* BansFile.make(path)
    return {
      finish,
      /** A change is believed when it has stood still from one look to the next. */
      looks: Effect.andThen(look, look),
      lines: () => readFileSync(path, "utf8").split("\n").slice(0, -1)
    }
  })

const anyPath = Effect.map(Temporary.directory, (directory) => join(directory, "bans.jsonl"))

describe("BansFile", () => {
  it.effect("has a line for each ban, is readable for its owner only, and restores the bans", () =>
    Effect.gen(function* () {
      const path = yield* anyPath
      yield* Effect.gen(function* () {
        const { looks, lines } = yield* started(path)
        assert.deepStrictEqual(lines(), [])
        yield* ban("203.0.113.7/32")
        yield* ban("2001:db8::/64")
        yield* looks
        assert.deepStrictEqual(JSON.parse(lines()[0]!), {
          network: "203.0.113.7/32",
          until: "1970-01-01T01:00:00.000Z",
          reason: "test",
          failures: 0
        })
        assert.lengthOf(lines(), 2)
        assert.strictEqual(statSync(path).mode & 0o777, 0o600)
      }).pipe(Effect.provide(bansLayer))
      yield* Effect.gen(function* () {
        yield* started(path)
        assert.deepStrictEqual(yield* banned, ["2001:db8::/64", "203.0.113.7/32"])
      }).pipe(Effect.provide(bansLayer))
    })
  )

  it.effect("lifts the ban of a deleted line, and no other ban, not even a new one", () =>
    Effect.gen(function* () {
      const path = yield* anyPath
      const { looks, lines } = yield* started(path)
      yield* ban("203.0.113.0/24")
      yield* ban("203.0.113.7/32")
      yield* ban("198.51.100.7/32")
      yield* looks
      writeFileSync(path, `${lines().slice(1).join("\n")}\n`)
      yield* ban("192.0.2.7/32")
      yield* looks
      assert.deepStrictEqual(yield* banned, ["192.0.2.7/32", "198.51.100.7/32", "203.0.113.7/32"])
      yield* looks
      assert.lengthOf(lines(), 3)
    }).pipe(Effect.provide(bansLayer))
  )

  it.effect("bans the network of an added line, and changes the end of a ban with its line", () =>
    Effect.gen(function* () {
      const path = yield* anyPath
      const { looks, lines } = yield* started(path)
      yield* ban("203.0.113.7/32")
      yield* looks
      const [line = ""] = lines()
      const added = '{"network":"192.0.2.0/24","until":"2027-01-01T00:00:00Z"}'
      writeFileSync(path, `${line.replace("1970", "1971")}\n${added}\n`)
      yield* looks
      assert.deepStrictEqual(yield* banned, ["192.0.2.0/24", "203.0.113.7/32"])
      const { list } = yield* Bans
      assert.include(
        (yield* list).map(({ until }) => until),
        Date.UTC(1971, 0, 1, 1)
      )
    }).pipe(Effect.provide(bansLayer))
  )

  it.effect("is not read while it is being written", () =>
    Effect.gen(function* () {
      const path = yield* anyPath
      const { look } = yield* BansFile.make(path)
      yield* ban("203.0.113.7/32")
      yield* look
      const whole = readFileSync(path, "utf8")
      writeFileSync(path, "")
      yield* look
      assert.deepStrictEqual(yield* banned, ["203.0.113.7/32"])
      writeFileSync(path, whole)
      yield* look
      yield* look
      assert.deepStrictEqual(yield* banned, ["203.0.113.7/32"])
    }).pipe(Effect.provide(bansLayer))
  )

  it.effect("is left as it is, and lifts no ban, while a line is invalid", () =>
    Effect.gen(function* () {
      const path = yield* anyPath
      const { looks, lines } = yield* started(path)
      yield* ban("203.0.113.7/32")
      yield* looks
      const broken = '{"network":"203.0.113.8/32","until":"2027-01-01"}\n{"network":"203.0.113.9/32"\n'
      writeFileSync(path, broken)
      yield* looks
      yield* ban("192.0.2.7/32")
      yield* looks
      assert.strictEqual(readFileSync(path, "utf8"), broken)
      assert.deepStrictEqual(yield* banned, ["192.0.2.7/32", "203.0.113.7/32", "203.0.113.8/32"])
      writeFileSync(path, broken.replace('9/32"\n', '9/32","until":"2027-01-01"}\n'))
      yield* looks
      yield* looks
      assert.lengthOf(lines(), 4)
    }).pipe(Effect.provide(bansLayer))
  )

  it.effect("keeps bans that only a wrong clock has ended", () =>
    Effect.gen(function* () {
      const path = yield* anyPath
      const now = Date.parse("2026-11-22T12:00:00Z")
      yield* TestClock.setTime(now)
      const before = yield* Effect.gen(function* () {
        const { looks, lines, finish } = yield* started(path)
        yield* ban("203.0.113.7/32")
        yield* looks
        yield* TestClock.setTime(Date.parse("2099-01-01T00:00:00Z"))
        yield* ban("203.0.113.8/32")
        yield* looks
        yield* TestClock.setTime(now)
        yield* looks
        yield* finish
        return lines()
      }).pipe(Effect.provide(bansLayer))
      assert.lengthOf(before, 2)
      yield* TestClock.setTime(Date.parse("1970-01-01T00:00:10Z"))
      yield* Effect.gen(function* () {
        const { looks, lines } = yield* started(path)
        yield* looks
        assert.lengthOf(lines(), 2)
        yield* TestClock.setTime(now)
        assert.deepStrictEqual(yield* banned, ["203.0.113.7/32", "203.0.113.8/32"])
      }).pipe(Effect.provide(bansLayer))
    })
  )

  it.effect("is written again when it was deleted, and when the program ends", () =>
    Effect.gen(function* () {
      const path = yield* anyPath
      const { looks, lines, finish } = yield* started(path)
      yield* ban("203.0.113.7/32")
      yield* looks
      rmSync(path)
      yield* looks
      assert.lengthOf(lines(), 1)
      yield* ban("203.0.113.8/32")
      yield* finish
      assert.lengthOf(lines(), 2)
    }).pipe(Effect.provide(bansLayer))
  )

  it.effect("is written without following a link beside it", () =>
    Effect.gen(function* () {
      const path = yield* anyPath
      const other = `${path}.other`
      writeFileSync(other, "precious")
      symlinkSync(other, `${path}.new`)
      const { looks, lines } = yield* started(path)
      yield* ban("203.0.113.7/32")
      yield* looks
      assert.strictEqual(readFileSync(other, "utf8"), "precious")
      assert.lengthOf(lines(), 1)
      assert.isTrue(lstatSync(path).isFile())
    }).pipe(Effect.provide(bansLayer))
  )

  it.effect("must be readable and writable", () =>
    Effect.gen(function* () {
      const directory = yield* Temporary.directory
      for (const path of [directory, join(directory, "none", "bans.jsonl")]) {
        const error = yield* Effect.flip(BansFile.make(path))
        assert.match(error.message, /^--bans-file: ".*" is not a file that can be read and written \(E\w+\)$/)
      }
    }).pipe(Effect.provide(bansLayer))
  )

  const { lines: told, layer: logs } = captured()
  it.effect("logs one error if it cannot be written", () =>
    Effect.gen(function* () {
      const directory = join(yield* Temporary.directory, "bans")
      mkdirSync(directory)
      const { looks } = yield* started(join(directory, "bans.jsonl"))
      rmSync(directory, { recursive: true })
      yield* ban("203.0.113.7/32")
      yield* looks
      yield* looks
      assert.deepStrictEqual(
        told.map(({ level, fields }) => [level, fields.code]),
        [["Error", "ENOENT"]]
      )
    }).pipe(Effect.provide(Layer.merge(bansLayer, logs)))
  )
})
