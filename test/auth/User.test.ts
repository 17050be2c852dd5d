/**
 * Users as they are written.
 */
import { assert, describe, it } from "@effect/vitest"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as User from "../../src/auth/User.ts"

const user = (text: string) =>
  Option.getOrUndefined(
    Option.map(User.fromString(text), ({ name, password }) => [name, Redacted.value(password!)])
  )

const read = Schema.decodeUnknownSync(User.schema, { onExcessProperty: "error" })

const bcrypt = `$2y$10$${"a".repeat(53)}`

describe("User", () => {
  it.each([
    ["alice:secret", ["alice", "secret"]],
    ["a:b:c:", ["a", "b:c:"]],
    ["alice::", ["alice", ":"]],
    [" a : b ", [" a ", " b "]],
    ["jürgen:päss", ["jürgen", "päss"]],
    [`${"n".repeat(255)}:${"p".repeat(255)}`, ["n".repeat(255), "p".repeat(255)]]
  ])("reads %s as a user", (text, expected) => {
    assert.deepStrictEqual(user(text), expected)
  })

  it.each([
    "",
    ":",
    "alice",
    "alice:",
    ":secret",
    `${"n".repeat(256)}:p`,
    `n:${"p".repeat(256)}`,
    // 128 characters, 256 bytes.
    `${"ü".repeat(128)}:p`,
    // In UTF-8, all halves of surrogate pairs are the same bytes: two users would be one.
    "\ud800:p",
    "n:\udc00"
  ])("reads %j as no user", (text) => {
    assert.strictEqual(user(text), undefined)
  })

  it("does not show a password", () => {
    const read = Option.getOrThrow(User.fromString("alice:hunter2"))
    assert.notInclude(`${JSON.stringify(read)} ${read.password} ${String(read)}`, "hunter2")
  })

  it("is read from a text or from an object", () => {
    assert.deepStrictEqual(read("alice:secret"), { name: "alice", password: Redacted.make("secret") })
    assert.deepStrictEqual(
      read({
        name: "alice",
        password: "sec:ret",
        groups: ["staff", "admins"],
        expires: "2027-03-31",
        networks: ["192.0.2.0/24", "2001:db8::1"],
        limits: { sessions: 50 }
      }),
      {
        name: "alice",
        password: Redacted.make("sec:ret"),
        groups: ["staff", "admins"],
        expires: Date.UTC(2027, 3, 1),
        networks: ["192.0.2.0/24", "2001:db8::1/128"].map(IpNetwork.fromStringUnsafe),
        limits: { sessions: 50 }
      }
    )
    assert.deepStrictEqual(read({ name: "alice" }), { name: "alice" })
  })

  it("is read with a password hash, which stays secret, too", () => {
    const { passwordHash } = read({ name: "alice", "password-hash": bcrypt })
    assert.deepStrictEqual(Redacted.value(passwordHash!), { _tag: "Bcrypt", cost: 10, text: bcrypt })
    assert.notInclude(`${JSON.stringify({ passwordHash })} ${passwordHash}`, "aaa")
  })

  it.each([
    ["hunter2", /NAME:PASSWORD/],
    [5, /NAME:PASSWORD, or an object with a name/],
    [{ password: "hunter2" }, /Missing key\n {2}at \["name"\]/],
    [{ name: "a:b" }, /1 to 255 bytes without a colon/],
    [{ name: "alice", password: "" }, /1 to 255 bytes/],
    [{ name: "alice", password: 123456 }, /in quotes if it looks like something else\n {2}at \["password"\]/],
    [{ name: "alice", passwordHash: bcrypt }, /\["passwordHash"\]/],
    [{ name: "alice", "password-hash": "$apr1$hunter2" }, /MD5.*\n {2}at \["password-hash"\]/],
    [{ name: "alice", "password-hash": bcrypt, password: "hunter2" }, /but not with both/],
    [{ name: "alice", expires: "31.03.2027" }, /a date such as .*\n {2}at \["expires"\]/],
    [{ name: "alice", networks: ["192.0.2.1/24"] }, /a network such as .*\n {2}at \["networks"\]\[0\]/],
    [{ name: "alice", groups: "staff" }, /\["groups"\]/],
    [{ name: "alice", limits: { sessions: "many" } }, /\["limits"\]\["sessions"\]/]
  ])("is not read from %j", (written, sentence) => {
    try {
      read(written)
      assert.fail("it was")
    } catch (error) {
      assert.match(String(error), sentence)
      assert.notMatch(String(error), /hunter2|123456/)
    }
  })
})
