/**
 * Hashes of passwords, computed for real.
 */
import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Hashing from "../../src/auth/Hashing.ts"
import * as PasswordHash from "../../src/auth/PasswordHash.ts"
import { PasswordHashes } from "../../src/auth/PasswordHashes.ts"
import { fromHex, utf8 } from "../support/bytes.ts"

const verify = (password: string | Uint8Array, hash: PasswordHash.PasswordHash) =>
  Effect.flatMap(PasswordHashes, ({ verify }) =>
    verify(typeof password === "string" ? utf8(password) : password, hash)
  )

const scrypt = (ln: number, r: number, p: number, salt: string, key: string): PasswordHash.Scrypt => ({
  _tag: "Scrypt",
  ln,
  r,
  p,
  salt: utf8(salt),
  key: fromHex(key)
})

/** RFC 7914 §12. */
const vectors: ReadonlyArray<readonly [password: string, hash: PasswordHash.Scrypt]> = [
  [
    "",
    scrypt(
      ...([4, 1, 1, ""] as const),
      "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442" +
        "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"
    )
  ],
  [
    "password",
    scrypt(
      ...([10, 8, 16, "NaCl"] as const),
      "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162" +
        "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
    )
  ],
  [
    "pleaseletmein",
    scrypt(
      ...([14, 8, 1, "SodiumChloride"] as const),
      "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2" +
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
    )
  ]
]

const parsed = (text: string) => Result.getOrThrow(PasswordHash.fromString(text))

const long = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

describe("scrypt", () => {
  it.live("computes the vectors of RFC 7914", () =>
    Effect.gen(function* () {
      for (const [password, hash] of vectors) assert.isTrue(yield* verify(password, hash), password)
      for (const [password, hash] of vectors.slice(0, 2)) {
        assert.isFalse(yield* verify(`${password}x`, hash), password)
        assert.isFalse(yield* verify(`${password}\0`, hash), password)
      }
    }).pipe(Effect.provide(Hashing.layer))
  )

  it.live("makes another hash each time, at the cost that OWASP recommends", () =>
    Effect.gen(function* () {
      const one = yield* Hashing.hash(utf8("secret"), 15)
      const other = yield* Hashing.hash(utf8("secret"), 15)
      assert.match(PasswordHash.format(one), /^\$scrypt\$ln=15,r=8,p=3\$[\w+/]{22}\$[\w+/]{43}$/)
      assert.notDeepEqual(one.salt, other.salt)
      assert.isTrue(yield* verify("secret", parsed(PasswordHash.format(one))))
    }).pipe(Effect.provide(Hashing.layer))
  )

  it.live("refuses logins beyond the queue", () =>
    Effect.gen(function* () {
      const hash = scrypt(10, 8, 1, "saltsalt", "00".repeat(32))
      const results = yield* Effect.forEach(
        Array.from({ length: 100 }),
        (_, index) => Effect.result(verify(`guess ${index}`, hash)),
        { concurrency: "unbounded" }
      )
      const failures = results.filter(Result.isFailure)
      assert.lengthOf(failures, 100 - 66)
      assert.deepInclude({ ...failures[0]!.failure }, { _tag: "TooManyLogins", limit: 66 })
    }).pipe(Effect.provide(Hashing.layer))
  )

  it.live("keeps the place of a login that leaves until the hash is computed", () =>
    Effect.gen(function* () {
      const hash = scrypt(14, 8, 1, "saltsalt", "00".repeat(32))
      const crowd = Effect.forEach(Array.from({ length: 66 }), (_, index) =>
        Effect.forkChild(Effect.result(verify(`guess ${index}`, hash)), { startImmediately: true })
      )
      for (const fiber of yield* crowd) fiber.interruptUnsafe()
      const next = yield* crowd
      // Two of them have to end before there is room for two more.
      assert.lengthOf(
        next.filter((fiber) => fiber.pollUnsafe() !== undefined),
        2
      )
      yield* Fiber.interruptAll(next)
    }).pipe(Effect.provide(Hashing.layer))
  )
})

// Its threads take longer to start than the hashes.
layer(Hashing.layer, { excludeTestServices: true })("bcrypt", (it) => {
  for (const [password, text] of [
    ["U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"],
    ["", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"],
    [long, "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"],
    [`${long}chars after 72 are ignored`, "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"]
  ] as const) {
    it.effect(`computes what crypt(3) computes, with each version letter: ${password}`, () =>
      Effect.gen(function* () {
        for (const letter of ["a", "b", "y"]) {
          const hash = parsed(text.replace("$2a", `$2${letter}`))
          assert.isTrue(yield* verify(password, hash))
          assert.isFalse(yield* verify(`x${password}`, hash))
        }
      })
    )
  }

  it.effect("refuses a repeated password and bytes that are no text", () =>
    Effect.gen(function* () {
      const hash = parsed("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")
      assert.isFalse(yield* verify("U*U\0U*U", hash))
      assert.isFalse(yield* verify(fromHex("ff"), hash))
    })
  )
})

describe("the threads", () => {
  const cheap = parsed("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")

  it.live("are two, started at the first hash", () =>
    Effect.gen(function* () {
      let threads = 0
      const count = () => threads++
      process.on("worker", count)
      yield* Effect.addFinalizer(() => Effect.sync(() => process.off("worker", count)))
      yield* Effect.gen(function* () {
        yield* PasswordHashes
        assert.strictEqual(threads, 0)
        const results = yield* Effect.forEach(["U*U", "a", "U*U", "b"], (it) => verify(it, cheap), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(results, [true, false, true, false])
        assert.strictEqual(threads, 2)
      }).pipe(Effect.provide(Hashing.layer))
    })
  )

  it.live("compute the padding hashes too, and return the result of the user's hash", () =>
    Effect.gen(function* () {
      const { verify } = yield* PasswordHashes
      const [, [, other] = vectors[0]!] = vectors
      assert.isTrue(yield* verify(utf8("U*U"), cheap, [other, cheap]))
      assert.isFalse(yield* verify(utf8("password"), cheap, [other]))
    }).pipe(Effect.provide(Hashing.layer))
  )

  it.live("have the lowest priority on Linux", () =>
    Effect.gen(function* () {
      if (process.platform !== "linux") return
      yield* verify("U*U", cheap)
      // Of each thread, the priority is the 19th field (proc_pid_stat(5)); the second may have spaces in it.
      const niceOf = (id: number | string) => {
        const stat = readFileSync(`/proc/self/task/${id}/stat`, "utf8")
        return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16])
      }
      assert.include(readdirSync("/proc/self/task").map(niceOf), 19)
      assert.notStrictEqual(niceOf(process.pid), 19)
    }).pipe(Effect.provide(Hashing.layer))
  )
})

it.live("a digest depends on its parts, and on the process", () =>
  Effect.gen(function* () {
    const digest = Effect.map(PasswordHashes, ({ digest }) => digest)
    const [one, other] = [
      yield* Effect.provide(digest, Hashing.layer),
      yield* Effect.provide(digest, Hashing.layer, { local: true })
    ]
    assert.strictEqual(one(utf8("a"), utf8("bc")), one(utf8("a"), utf8("bc")))
    assert.notStrictEqual(one(utf8("a"), utf8("bc")), one(utf8("ab"), utf8("c")))
    assert.notStrictEqual(one(utf8("a")), other(utf8("a")))
  })
)
