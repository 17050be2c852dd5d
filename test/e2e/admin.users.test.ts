/**
 * Users that the admin API changes: in all workers at once, and on disk.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Peer } from "../../src/testing/index.ts"
import * as Admin from "../support/admin.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import { directory } from "../support/temporary.ts"
import * as Workers from "../support/workers.ts"

const token = "0123456789-abcdefghij"
const isPermitted = process.getuid?.() === 0 && spawnSync("unshare", ["-m", "true"]).status === 0

const api = (socketPath: string) => {
  const ask = (path: string, options?: Admin.Options) => Admin.ask({ socketPath, token }, path, options)
  const at = (name: string) => `/api/users/${encodeURIComponent(name)}`
  return {
    ask,
    list: Effect.map(ask("/api/users?limit=1000"), ({ json }) => json),
    add: (name: string, password = "secret", more: object = {}) =>
      ask("/api/users", { method: "POST", body: { name, password, ...more } }),
    change: (name: string, body: object) => ask(at(name), { method: "PATCH", body }),
    remove: (name: string) => ask(at(name), { method: "DELETE" })
  }
}

const goesOn = Effect.fnUntraced(function* ({ client, origin }: Record<"client" | "origin", Peer>) {
  yield* client.send("still here")
  assert.strictEqual(new TextDecoder().decode(yield* origin.receive(10)), "still here")
})

describe("users in the users file", () => {
  it.live("are added, disabled and removed by the API, at once in all workers", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const [socketPath, usersFile, config] = ["admin.sock", "users.yaml", "config.yaml"].map((name) =>
        join(path, name)
      ) as [string, string, string]
      writeFileSync(
        usersFile,
        "# ours\n- alice:secret\n- { name: carol, password: secret, groups: [staff] }\n",
        {
          mode: 0o600
        }
      )
      writeFileSync(
        config,
        `users: [dave:secret]\nusers-file: ${usersFile}\nuser-parameters: session\nworkers: 2\n` +
          "rules: [{ allow: true, groups: staff }, { allow: true }]\n"
      )
      const port = yield* Workers.freePort
      const program = yield* Workers.start([
        ...["--listen", `127.0.0.1:${port}`, "--config", config],
        ...["--admin", `unix:${socketPath}`, "--admin-token", token]
      ])
      yield* program.logged({ message: "admin listens" })
      const pids = yield* program.pids
      const users = api(socketPath)
      const target = yield* Tcp.target
      const mine = yield* Workers.spread(pids, Tcp.sessionOf("alice", port, target))
      // Of each worker, at the same time: a login takes a hash.
      const canLogIn = (name: string, password: string) =>
        Effect.map(
          Effect.replicateEffect(
            Effect.map(Tcp.logIn(port, name, password), ([, status]) => status === 0),
            2,
            { concurrency: 2 }
          ),
          (all) => [...new Set(all)]
        )

      // Added: every worker knows the user when the answer comes.
      assert.strictEqual((yield* users.add("bob", "secret", { groups: ["staff"] })).status, 201)
      const his = yield* Workers.spread(pids, Tcp.sessionOf("bob", port, target))
      const [row] = (yield* users.list).filter(({ name }: { name: string }) => name === "bob")
      assert.deepInclude(row, { enabled: true, groups: ["staff"], stored: true, sessions: his.length })
      assert.match(
        readFileSync(usersFile, "utf8"),
        /^# ours\n- alice:secret\n- \{ name: carol.*\}\n- name: "bob"\n {2}password-hash: "\$scrypt\$.*"\n {2}groups: \["staff"\]\n$/
      )
      assert.strictEqual(statSync(usersFile).mode & 0o777, 0o600)

      // Disabled: the sessions end, of clients too that have only logged in. Others go on.
      const waiting = yield* Tcp.connect(port)
      yield* Tcp.authenticate(waiting, "bob", "secret")
      const withParameters = yield* Tcp.sessionOf("bob-session-7", port, target)
      assert.strictEqual((yield* users.change("bob", { enabled: false })).status, 204)
      for (const { client, origin } of [...his, withParameters]) {
        assert.strictEqual(yield* client.ending, "reset")
        assert.strictEqual(yield* origin.ending, "reset")
      }
      assert.strictEqual(yield* waiting.ending, "reset")
      assert.deepStrictEqual(yield* canLogIn("bob", "secret"), [false])
      yield* goesOn(mine[0]!)

      // Enabled, with another password.
      assert.strictEqual((yield* users.change("bob", { enabled: true, password: "another" })).status, 204)
      assert.deepStrictEqual(yield* canLogIn("bob", "secret"), [false])
      assert.deepStrictEqual(yield* canLogIn("bob", "another"), [true])

      // Removed, and added again.
      assert.strictEqual((yield* users.remove("alice")).status, 204)
      for (const { client } of mine) assert.strictEqual(yield* client.ending, "reset")
      assert.deepStrictEqual(yield* canLogIn("alice", "secret"), [false])
      assert.strictEqual((yield* users.add("alice", "third")).status, 201)
      assert.deepStrictEqual(yield* canLogIn("alice", "secret"), [false])
      assert.deepStrictEqual(yield* canLogIn("alice", "third"), [true])

      // Refused, with a reason.
      const refused = Effect.fnUntraced(function* (
        answer: Effect.Effect<Admin.Answer>,
        status: number,
        why: string
      ) {
        const { status: actual, text } = yield* answer
        assert.strictEqual(actual, status, text)
        assert.include(text, why)
        assert.notInclude(text, "hunter2")
      })
      yield* refused(users.add("alice", "hunter2"), 409, "there is a user alice")
      yield* refused(users.add("dave", "hunter2"), 409, "there is a user dave")
      yield* refused(users.remove("dave"), 409, "comes from the settings")
      yield* refused(users.change("dave", { enabled: false }), 409, "comes from the settings")
      yield* refused(users.remove("nobody"), 404, "there is no user nobody")
      yield* refused(users.change("bob", {}), 422, "enabled or password")
      yield* refused(users.add("eve", ""), 422, "1 to 255 bytes")
      yield* refused(users.add("eve", `hunter2${"x".repeat(255)}`), 422, "1 to 255 bytes")
      yield* refused(users.add("eve", "hunter2\0"), 422, "none of them NUL")
      for (const name of ["", "a:b", "eve\nmallory:x", "alice-session-1", "..", "e\u0301ve"]) {
        yield* refused(users.add(name, "hunter2"), 422, "the name ")
      }
      // The group in the rules has users: the last of them stays.
      assert.strictEqual((yield* users.remove("bob")).status, 204)
      yield* refused(users.remove("carol"), 422, "staff")
      assert.deepStrictEqual(yield* canLogIn("carol", "secret"), [true])

      // The audit log has each change, and nothing has a password.
      for (const [action, outcome] of [
        ["add user", "done"],
        ["disable user", "done"],
        ["set password of user, enable user", "done"],
        ["remove user", "done"],
        ["add user", "Conflict"]
      ] as const) {
        yield* program.logged({ message: "admin", action, outcome })
      }
      const log = program.stdout()
      for (const secret of ["hunter2", "another", "scrypt$ln"]) assert.notInclude(log, secret)
    })
  )

  it.live("have names of every kind, in addresses too", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const [socketPath, usersFile] = [join(path, "admin.sock"), join(path, "users")]
      // Those of the file have a hash that takes no time.
      const written = ["a/b", "a%2Fb", "a?b=c#d", "é".repeat(127), "!b=b;"]
      const hash = "$scrypt$ln=1,r=1,p=1$c2FsdHNhbHQ$AAECAwQFBgcICQoLDA0ODw"
      writeFileSync(usersFile, written.map((name) => `${name}:${hash}\n`).join(""))
      const flags = ["--users-file", usersFile, "--admin", `unix:${socketPath}`, "--admin-token", token]
      const program = yield* Program.start(flags)
      yield* program.logged({ message: "admin listens" })
      const users = api(socketPath)
      const added = ["CORP\\bob", "日🦊 <b>'", "__proto__"]
      for (const name of added) assert.strictEqual((yield* users.add(name)).status, 201, name)
      for (const name of written) assert.strictEqual((yield* users.add(name)).status, 409, name)
      const names = [...written, ...added]
      const listed: ReadonlyArray<{ readonly name: string }> = yield* users.list
      assert.lengthOf(listed, names.length)
      assert.deepStrictEqual(
        readFileSync(usersFile, "utf8")
          .split("\n")
          .map((line) => line.split(":")[0]),
        [...names, ""]
      )
      assert.strictEqual((yield* Tcp.logIn(program.port, "CORP\\bob", "secret"))[1], 0)
      // By the names that are listed, which say what is not printable.
      for (const { name } of listed) {
        assert.strictEqual((yield* users.change(name, { enabled: false })).status, 204, name)
        assert.strictEqual((yield* users.remove(name)).status, 204, name)
      }
      assert.deepStrictEqual(yield* users.list, [])
      assert.strictEqual(readFileSync(usersFile, "utf8"), "")
    })
  )

  it.live("are gone for logins that are under way when they are removed", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const [socketPath, usersFile] = [join(path, "admin.sock"), join(path, "users")]
      writeFileSync(usersFile, "")
      const flags = ["--users-file", usersFile, "--admin", `unix:${socketPath}`, "--admin-token", token]
      const program = yield* Program.start([...flags, "--ban-after", "off"])
      yield* program.logged({ message: "admin listens" })
      const users = api(socketPath)
      const target = yield* Tcp.target
      for (let round = 0; round < 2; round++) {
        assert.strictEqual((yield* users.add("bob")).status, 201)
        // The first login computes the hash, and the others wait for it or come after it.
        const logins = Effect.forEach(
          Array.from({ length: 8 }, (_, index) => index * 15),
          (pause) =>
            Effect.delay(
              Effect.gen(function* () {
                const client = yield* Tcp.connect(program.port)
                yield* Effect.ignoreCause(Tcp.authenticate(client, "bob", "secret"))
                return client
              }),
              `${pause} millis`
            ),
          { concurrency: "unbounded" }
        )
        const [clients] = yield* Effect.all(
          [logins, Effect.delay(users.remove("bob"), `${40 + 80 * round} millis`)],
          {
            concurrency: "unbounded"
          }
        )
        for (const client of clients) assert.notStrictEqual(yield* client.ending, undefined)
        assert.deepStrictEqual((yield* users.ask("/api/sessions?user=bob")).json, [])
      }
      yield* Tcp.connect(target.port)
    })
  )

  const itMayMount = isPermitted ? it.live : it.live.skip
  itMayMount("stay as they are where the disk is full or read-only", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const [socketPath, disk] = [join(path, "admin.sock"), join(path, "disk")]
      const mounting =
        `mkdir ${disk} && mount -t tmpfs -o size=64k tmpfs ${disk} && printf -- '- alice:secret\\n' > ${disk}/users.yaml; ` +
        'exec "$@"'
      const program = yield* Program.start(
        ["--users-file", `${disk}/users.yaml`, "--admin", `unix:${socketPath}`, "--admin-token", token],
        { by: ["unshare", "-m", ...Program.shell(mounting)] }
      )
      yield* program.logged({ message: "admin listens" })
      const users = api(socketPath)
      const inside = (line: string) =>
        execFileSync("nsenter", ["-t", String(program.pid), "-m", "sh", "-c", line], { stdio: "pipe" })
      const stays = Effect.fnUntraced(function* (reason: string) {
        const answer = yield* users.add("bob")
        assert.strictEqual(answer.status, 503, answer.text)
        assert.include(answer.text, reason)
        assert.strictEqual((yield* users.remove("alice")).status, 503)
        assert.strictEqual(
          String(inside(`cat ${disk}/users.yaml; ls ${disk} | wc -l`)),
          "- alice:secret\n2\n"
        )
        assert.strictEqual((yield* Tcp.logIn(program.port, "alice", "secret"))[1], 0)
      })
      inside(`dd if=/dev/zero of=${disk}/fill bs=1k count=100 2>&1 || true`)
      yield* stays("its disk is full")
      inside(`mount -o remount,ro ${disk}`)
      yield* stays("read-only")
      inside(`mount -o remount,rw ${disk} && rm ${disk}/fill`)
      assert.strictEqual((yield* users.add("bob")).status, 201)
    })
  )
})
