/**
 * The command that hashes a password, and the users who come in by what it
 * prints.
 */
import { chmod, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWith, python } from "../support/clients.ts"
import { credentials, greeting } from "../support/messages.ts"
import * as Program from "../support/program.ts"
import { connect } from "../support/sockets.ts"
import * as Temporary from "../support/temporary.ts"

/** What it says to this, given to `printf`. */
const hashing = (input: string, ...flags: ReadonlyArray<string>) =>
  Program.run(["hash-password", ...flags], { by: Program.shell(`printf '${input}' | "$@"`) })

/** Whether a user comes in. */
const comesIn = Effect.fnUntraced(function* (port: number, name: string, password: string) {
  const client = yield* connect(port)
  yield* client.send([...greeting(0x02), ...credentials(name, password)])
  const [, , , status] = yield* client.receive(4)
  return status === 0x00
}, Effect.scoped)

describe.concurrent("hash-password", () => {
  it.live("prints a hash with which the user can log in as long as the file has it", () =>
    Effect.gen(function* () {
      const file = join(yield* Temporary.directory, "users")
      const { code, stdout, stderr } = yield* hashing("open sesame\\n")
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.match(stdout, /^\$scrypt\$ln=15,r=8,p=3\$[\w+/]{22}\$[\w+/]{43}\n$/)
      // Of "U*U", by crypt_blowfish.
      const hash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
      yield* Effect.promise(() => writeFile(file, `carol:${hash}\nalice:${stdout}`))
      const server = yield* Program.start(["--users-file", file])
      assert.isTrue(yield* comesIn(server.port, "alice", "open sesame"))
      assert.isFalse(yield* comesIn(server.port, "mallory", "open sesame"))
      assert.isFalse(yield* comesIn(server.port, "bob", "U*U"))
      // Carol stays: a file that most users are gone from is not believed at once.
      const next = `carol:${hash}\nbob:${hash}\n`
      yield* Effect.promise(() => writeFile(`${file}.new`, next).then(() => rename(`${file}.new`, file)))
      yield* server.logged({ message: "the users file was read again" })
      assert.isFalse(yield* comesIn(server.port, "alice", "open sesame"))
      assert.isTrue(yield* comesIn(server.port, "bob", "U*U"))
      yield* Effect.promise(() => writeFile(file, "bob:open sesame").then(() => chmod(file, 0o600)))
      const line = yield* server.logged({ level: "error" })
      assert.include(String(line.error), "it is a password in plain text")
      assert.isTrue(yield* comesIn(server.port, "bob", "U*U"))
      const finished = yield* server.stop
      assert.notMatch(finished.stdout + finished.stderr, /sesame|U\*U|\$2a|\$scrypt/)
    })
  )

  it.live("takes the given amount of memory", () =>
    Effect.gen(function* () {
      assert.match((yield* hashing("secret", "--cost", "17")).stdout, /^\$scrypt\$ln=17,r=8,p=1\$/)
    })
  )

  for (const [what, input, flags, sentence] of [
    ["nothing", "\\n", [], "the password: what was given is not 1 to 255 bytes, none of them NUL\n"],
    ["a NUL", "a\\0b", [], "the password: what was given is not 1 to 255 bytes, none of them NUL\n"],
    ["another cost", "secret", ["--cost", "10"], '--cost: "10" is not one of 15, 16, 17\n']
  ] as const) {
    it.live(`refuses ${what}`, () =>
      Effect.gen(function* () {
        const { code, stdout, stderr } = yield* hashing(input, ...flags)
        assert.deepStrictEqual([code, stdout, stderr], [2, "", sentence])
      })
    )
  }
})

describeWith(["python3"], () => {
  it.live("a terminal does not show the password", () =>
    Effect.gen(function* () {
      const type = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
shown = b""
def read():
    try:
        return os.read(terminal, 1024)
    except OSError:
        return b""
while b"Password: " not in shown:
    shown += read()
os.write(terminal, b"secrex\\x7ft\\r")
while more := read():
    shown += more
sys.stdout.buffer.write(shown)
`
      const { stdout } = yield* Program.run(["hash-password"], { by: [python, "-c", type] })
      assert.match(stdout, /^Password: \r\n\$scrypt\$\S+\r\n$/)
    })
  )
})
