/**
 * Hashes as files have them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import * as PasswordHash from "../../src/auth/PasswordHash.ts"
import { holds } from "../support/property.ts"

const bytes = (minLength: number) => fc.uint8Array({ minLength, maxLength: 64 })

const scrypt = fc.record({
  _tag: fc.constant("Scrypt" as const),
  ln: fc.integer({ min: 1, max: 17 }),
  r: fc.integer({ min: 1, max: 8 }),
  p: fc.integer({ min: 1, max: 4 }),
  salt: bytes(8),
  key: bytes(16)
})

const bcrypt = `$2b$05$${"./Az09".repeat(8)}abcde`

describe("PasswordHash", () => {
  it("reads what it writes", () => {
    holds(
      fc.property(scrypt, (hash) => {
        const read = Result.getOrThrow(PasswordHash.fromString(PasswordHash.format(hash)))
        assert.deepStrictEqual(read, hash)
      })
    )
  })

  it.each(["a", "b", "y"])("is read as bcrypt of version 2%s", (version) => {
    const text = bcrypt.replace("2b", `2${version}`)
    const hash = Result.getOrThrow(PasswordHash.fromString(text))
    assert.deepStrictEqual(hash, { _tag: "Bcrypt", cost: 5, text })
    assert.strictEqual(PasswordHash.format(hash), text)
  })

  it("has a decoy of the same cost and another password", () => {
    for (const text of [bcrypt, "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHQ$AAECAwQFBgcICQoLDA0ODw"]) {
      const hash = Result.getOrThrow(PasswordHash.fromString(text))
      const decoy = PasswordHash.decoyOf(hash)
      assert.strictEqual(PasswordHash.work(decoy), PasswordHash.work(hash))
      assert.notStrictEqual(PasswordHash.format(decoy), text)
      assert.deepStrictEqual(PasswordHash.fromString(PasswordHash.format(decoy)), Result.succeed(decoy))
    }
  })

  const phc = (parameters: string, salt = "c2FsdHNhbHQ", key = "AAECAwQFBgcICQoLDA0ODw") =>
    `$scrypt$${parameters}$${salt}$${key}`

  it.each([
    ["", /its format is unknown/],
    ["hunter2", /a password in plain text/],
    ["$apr1$abcdefgh$hunter2hunter2hunter2", /MD5/],
    ["$1$abcdefgh$hunter2hunter2hunter2", /MD5/],
    ["{SHA}hunter2hunter2hunter2", /SHA-1/],
    ["$5$rounds=5000$salt$hunter2", /SHA-2/],
    ["$6$salt$hunter2", /SHA-2/],
    ["$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$hunter2", /Argon2/],
    ["$y$j9T$salt$hunter2", /yescrypt/],
    ["hunter2hunter", /DES/],
    [`$2x$05$${"a".repeat(53)}`, /an incomplete bcrypt hash/],
    [`$2y$05$${"a".repeat(52)}`, /an incomplete bcrypt hash/],
    [`$2y$03$${"a".repeat(53)}`, /below 4, the least of bcrypt/],
    [`$2y$31$${"a".repeat(53)}`, /more time or memory/],
    [phc("ln=15,r=8"), /an incomplete scrypt hash/],
    [phc("ln=0,r=8,p=1"), /an incomplete scrypt hash/],
    [phc("ln=15,r=8,p=1", "====="), /an incomplete scrypt hash/],
    [phc("ln=20,r=8,p=1"), /more time or memory/],
    [phc("ln=15,r=8,p=99"), /more time or memory/],
    [phc("ln=15,r=8,p=1", "c2FsdA"), /salt must have 8 to 64 bytes/],
    [phc("ln=15,r=8,p=1", "c2FsdHNhbHQ", "AAECAw"), /salt must have 8 to 64 bytes/]
  ])("is not read from %j", (text, sentence) => {
    const clause = Result.getOrThrow(Result.flip(PasswordHash.fromString(text)))
    assert.match(clause, sentence)
    assert.notInclude(clause, "hunter2")
  })
})

describe("padding", () => {
  const bcrypt = (cost: number): PasswordHash.PasswordHash => ({
    _tag: "Bcrypt",
    cost,
    text: `$2y$${String(cost).padStart(2, "0")}$${".".repeat(53)}`
  })
  const scrypt = (ln: number, r: number, p: number): PasswordHash.PasswordHash => ({
    ...{ _tag: "Scrypt", ln, r, p },
    ...{ salt: new Uint8Array(16), key: new Uint8Array(32) }
  })
  /** Rounds of bcrypt, and blocks of scrypt. */
  const workOf = (hashes: ReadonlyArray<PasswordHash.PasswordHash>) => {
    const sum = (tag: string) =>
      hashes.filter(({ _tag }) => _tag === tag).reduce((total, hash) => total + PasswordHash.work(hash), 0)
    return [sum("Bcrypt"), sum("Scrypt")] as const
  }

  for (const [name, hashes] of [
    ["bcrypt", [bcrypt(10), bcrypt(12), bcrypt(4)]],
    ["scrypt", [scrypt(15, 8, 3), scrypt(17, 8, 1), scrypt(16, 8, 2), scrypt(10, 8, 16), scrypt(14, 1, 1)]],
    ["both", [bcrypt(10), bcrypt(12), scrypt(15, 8, 3), scrypt(17, 8, 1)]]
  ] as const) {
    it(`makes all logins compute the same hashes: ${name}`, () => {
      const most: PasswordHash.Dearest = new Map()
      for (const hash of hashes) PasswordHash.compare(most, hash)
      const dearest = PasswordHash.decoysOf(most)
      const [rounds, blocks] = workOf(dearest)
      for (const hash of hashes) {
        const padded = [hash, ...PasswordHash.padding(hash, dearest)]
        const [itsRounds, itsBlocks] = workOf(padded)
        assert.strictEqual(itsRounds, rounds)
        assert.isAtMost(itsBlocks, blocks)
        assert.isAtLeast(itsBlocks, blocks * 0.99)
        for (const each of padded) {
          const again = PasswordHash.fromString(PasswordHash.format(each))
          assert.deepStrictEqual(again, Result.succeed(each))
        }
      }
    })
  }
})
