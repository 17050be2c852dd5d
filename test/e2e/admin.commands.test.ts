/**
 * The commands that see and steer a running server, and the health check.
 */
import { copyFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { connect } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { certificate } from "../support/certificates.ts"
import { itNeeds } from "../support/needs.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import { directory } from "../support/temporary.ts"

const token = "0123456789-abcdefghij"

describe("the commands", () => {
  it.live("list and end sessions, ban and lift, and list the users", () =>
    Effect.gen(function* () {
      const admin = `unix:${join(yield* directory, "admin.sock")}`
      const program = yield* Program.start(["--user", "alice:secret", "--admin", admin])
      yield* program.logged({ message: "admin listens" })
      const run = (...args: ReadonlyArray<string>) => Program.run([...args, "--admin", admin])
      const json = (...args: ReadonlyArray<string>) =>
        Effect.map(run(...args, "--json"), ({ stdout }) => JSON.parse(stdout))
      const target = yield* Tcp.target
      yield* Tcp.sessionOf("alice", program.port, target)

      const [one] = yield* json("sessions", "--user", "alice", "--search", String(target.port))
      assert.deepInclude(one, { user: "alice", target: `127.0.0.1:${target.port}` })
      const { stdout } = yield* run("sessions")
      assert.match(stdout, /^ *ID {2}USER +CLIENT .* AGE\n *\d+ {2}alice .* SOCKS5 CONNECT .* 0 B /)
      const watched = yield* run("top", "--json", "--times", "1")
      assert.deepInclude(JSON.parse(watched.stdout), { total: 1 })
      assert.include((yield* run("top")).stderr, "top takes a terminal")
      assert.strictEqual((yield* run("kill", String(one.id))).code, 0)
      yield* program.logged({ message: "session", id: one.id, outcome: "ended by operator" })
      assert.deepInclude(yield* run("kill", String(one.id)), {
        ...{ code: 1, stderr: `no session ${one.id} is open\n` }
      })

      const [ban] = yield* json("ban", "203.0.113.0/24", "--for", "2h", "--reason", "abuse")
      assert.deepInclude(ban, { network: "203.0.113.0/24", reason: "abuse" })
      assert.match((yield* run("bans")).stdout, /^NETWORK .*\n203\.0\.113\.0\/24 .* abuse\n$/)
      assert.strictEqual((yield* run("unban", "203.0.113.7")).code, 0)
      assert.strictEqual((yield* run("unban", "203.0.113.7")).code, 1)
      assert.deepInclude((yield* json("users"))[0], { name: "alice", enabled: true })
      assert.include((yield* run("users", "disable", "alice")).stderr, "come from its settings")
      assert.deepInclude(yield* run("users", "add"), {
        code: 1,
        stderr: "users add takes the name of a user\n"
      })
    })
  )

  it.live("add, disable, enable and remove users, with passwords from standard input", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const [admin, usersFile] = [`unix:${join(path, "admin.sock")}`, join(path, "users.json")]
      writeFileSync(usersFile, "[]\n")
      const program = yield* Program.start(["--users-file", usersFile, "--admin", admin])
      yield* program.logged({ message: "admin listens" })
      const run = (input: string, ...args: ReadonlyArray<string>) =>
        Program.run(["users", ...args, "--admin", admin], {
          by: Program.shell(`printf '%b' '${input}' | "$@"`)
        })
      const canLogIn = (password: string) =>
        Effect.map(Tcp.logIn(program.port, "bob", password), ([, status]) => status === 0)
      const added = yield* run("secret\\n", "add", "bob", "--group", "staff", "--group", "night", "--json")
      assert.deepStrictEqual(JSON.parse(added.stdout), { add: "bob" })
      assert.isTrue(yield* canLogIn("secret"))
      assert.match((yield* run("")).stdout, /^NAME .*\nbob +store +yes +staff,night /)
      assert.deepInclude(yield* run("other", "add", "bob"), { code: 1, stderr: "there is a user bob\n" })
      assert.include((yield* run("", "add", "carol")).stderr, "1 to 255 bytes")
      assert.strictEqual((yield* run("", "disable", "bob")).code, 0)
      assert.isFalse(yield* canLogIn("secret"))
      assert.strictEqual((yield* run("", "enable", "bob")).code, 0)
      assert.strictEqual((yield* run("other", "password", "bob")).code, 0)
      assert.isTrue(yield* canLogIn("other"))
      assert.strictEqual((yield* run("", "remove", "bob")).code, 0)
      assert.isFalse(yield* canLogIn("other"))
      assert.deepInclude(yield* run("", "remove", "bob"), { code: 1, stderr: "there is no user bob\n" })
    })
  )

  itNeeds("openssl")("speak TLS, and say what is wrong", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const { certFile, keyFile } = certificate(path, "admin", "/CN=localhost")
      const flags = ["--admin-tls-cert", certFile, "--admin-tls-key", keyFile, "--admin-token", token]
      const program = yield* Program.start(["--admin", "0.0.0.0:0", ...flags])
      const { address } = yield* program.logged({ message: "admin listens", tls: true })
      const at = ["--admin", String(address).replace("0.0.0.0", "127.0.0.1")]
      assert.strictEqual((yield* Program.run(["bans", "--json", ...at, ...flags])).stdout, "[]\n")
      const other = flags.map((flag) => (flag === token ? `${token}x` : flag))
      assert.deepInclude(yield* Program.run(["bans", ...at, ...other]), {
        ...{ code: 1, stderr: `the server at ${at[1]} has another token: --admin-token\n` }
      })
      yield* program.stop
      assert.include(
        (yield* Program.run(["bans", ...at, ...flags])).stderr,
        `no server answers at ${at[1]} (connect ECONNREFUSED`
      )
      const { code, stderr } = yield* Program.run(["bans"])
      assert.strictEqual(code, 2)
      assert.include(stderr, "--admin: a command for a running server is not possible without the address")
    })
  )
})

describe("the certificate of the admin listener", () => {
  itNeeds("openssl")("is read again when it changes, and stays if the new one cannot be used", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const { certFile, keyFile } = certificate(path, "admin", "/CN=localhost")
      const other = certificate(path, "other", "/CN=other.example")
      const program = yield* Program.start([
        ...["--admin", "127.0.0.1:0", "--admin-token", token],
        ...["--admin-tls-cert", certFile, "--admin-tls-key", keyFile]
      ])
      const { address } = yield* program.logged({ message: "admin listens", tls: true })
      const port = Program.portOf(String(address))
      const names = Effect.callback<string>((resume) => {
        const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
          resume(Effect.succeed(String(socket.getPeerCertificate().subject.CN)))
          socket.destroy()
        })
      })
      assert.strictEqual(yield* names, "localhost")
      writeFileSync(certFile, "no certificate")
      yield* program.logged({ message: "not reloaded: the earlier settings stay in force" })
      assert.strictEqual(yield* names, "localhost")
      copyFileSync(other.keyFile, keyFile)
      copyFileSync(other.certFile, certFile)
      yield* program.logged({ message: "reloaded" })
      assert.strictEqual(yield* names, "other.example")
    })
  )
})

describe("the health check", () => {
  itNeeds("openssl")("is answered by listeners of every kind, and by no other program", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const { certFile, keyFile } = certificate(path, "proxy", "/CN=localhost")
      const program = yield* Program.start([
        ...["--user", "alice:secret", "--tls-cert", certFile, "--tls-key", keyFile],
        ...["--listen", "127.0.0.1:0", "--listen", "tls:127.0.0.1:0", "--listen", `unix:${path}/a`],
        ...["--listen", "127.0.0.1:0?protocols=http", "--listen", "127.0.0.1:0?protocols=socks4"]
      ])
      const listen = program.addresses.flatMap((address) => ["--listen", address])
      const files = ["--tls-cert", certFile, "--tls-key", keyFile]
      const check = Program.run(["--healthcheck", ...listen, ...files])
      const { code, stderr } = yield* check
      assert.deepStrictEqual([code, stderr], [0, ""])
      const target = yield* Tcp.target
      const silent = Program.run(["--healthcheck", "--listen", `127.0.0.1:${target.port}`])
      assert.deepInclude(yield* silent, {
        ...{ code: 1, stderr: `127.0.0.1:${target.port} does not answer: no answer within 5 seconds\n` }
      })
      yield* program.stop
      assert.strictEqual((yield* check).code, 1)
    })
  )
})
