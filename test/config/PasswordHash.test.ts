/**
 * Hashes as files have them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import * as PasswordHash from "../../src/config/PasswordHash.ts"

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
  it("is read as it is written", () => {
    fc.assert(
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
      assert.strictEqual(PasswordHash.costOf(decoy), PasswordHash.costOf(hash))
      assert.notStrictEqual(PasswordHash.format(decoy), text)
      assert.deepStrictEqual(PasswordHash.fromString(PasswordHash.format(decoy)), Result.succeed(decoy))
    }
  })

  const phc = (parameters: string, salt = "c2FsdHNhbHQ", key = "AAECAwQFBgcICQoLDA0ODw") =>
    `$scrypt$${parameters}$${salt}$${key}`

  it.each([
    ["", /none that is known/],
    ["hunter2", /a password in plain text/],
    ["$apr1$abcdefgh$hunter2hunter2hunter2", /MD5/],
    ["$1$abcdefgh$hunter2hunter2hunter2", /MD5/],
    ["{SHA}hunter2hunter2hunter2", /SHA-1/],
    ["$5$rounds=5000$salt$hunter2", /SHA-2/],
    ["$6$salt$hunter2", /SHA-2/],
    ["$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$hunter2", /Argon2/],
    ["$y$j9T$salt$hunter2", /yescrypt/],
    ["hunter2hunter", /DES/],
    [`$2x$05$${"a".repeat(53)}`, /no whole bcrypt hash/],
    [`$2y$05$${"a".repeat(52)}`, /no whole bcrypt hash/],
    [`$2y$03$${"a".repeat(53)}`, /no cost that bcrypt knows/],
    [`$2y$31$${"a".repeat(53)}`, /longer, or more memory/],
    [phc("ln=15,r=8"), /no whole scrypt hash/],
    [phc("ln=0,r=8,p=1"), /no whole scrypt hash/],
    [phc("ln=15,r=8,p=1", "====="), /no whole scrypt hash/],
    [phc("ln=20,r=8,p=1"), /longer, or more memory/],
    [phc("ln=15,r=8,p=99"), /longer, or more memory/],
    [phc("ln=15,r=8,p=1", "c2FsdA"), /another length/],
    [phc("ln=15,r=8,p=1", "c2FsdHNhbHQ", "AAECAw"), /another length/]
  ])("is not read from %j", (text, sentence) => {
    const clause = Result.getOrThrow(Result.flip(PasswordHash.fromString(text)))
    assert.match(clause, sentence)
    assert.notInclude(clause, "hunter2")
  })
})
