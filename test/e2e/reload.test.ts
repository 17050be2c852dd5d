/**
 * A program whose settings change while it runs: at SIGHUP, and when its files do.
 *
 * @module-tag transport
 */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { certificate } from "../support/certificates.ts"
import { greeting, reply, request } from "../support/messages.ts"
import { describeNeeds } from "../support/needs.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"

const open = "listen: 127.0.0.1:0\n"
const closed = `${open}users: [{ name: alice, password: secret, groups: [staff] }]\n`

/** A program with a config file, and what makes another of that. */
const started = Effect.fnUntraced(function* (content: string) {
  const path = join(yield* Temporary.directory, "effect-socks.yaml")
  const write = (text: string) => Effect.promise(() => writeFile(path, text))
  yield* write(content)
  const running = yield* Program.start(["--config", path])
  const logged = (message: string, number?: number) => running.logged({ message }, number)
  return { running, path, write, logged, port: running.port }
})

/** The method that a server selects, of none and a password. */
const selects = (port: number, ...methods: ReadonlyArray<number>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const client = yield* Tcp.connect(port)
      yield* client.send(greeting(...methods))
      return (yield* client.receive(2))[1]
    })
  )

describeNeeds("openssl")("a program behind an upstream of TLS", () => {
  it.live("trusts another authority as soon as the file of the authority has changed", () =>
    Effect.gen(function* () {
      const path = yield* Temporary.directory
      const own = certificate(path, "server", "/CN=localhost")
      const authority = join(path, "authority.pem")
      yield* Effect.promise(() => writeFile(authority, certificate(path, "stranger", "/CN=stranger").cert))
      const upstream = yield* Program.start([
        ...["--listen", "tls:127.0.0.1:0", "--tls-cert", own.certFile, "--tls-key", own.keyFile]
      ])
      const url = `socks5+tls://localhost:${upstream.port}?ca=${authority}`
      const front = yield* Program.start(["--upstream", url])
      const { port: targetPort } = yield* Tcp.target
      const asked = Effect.gen(function* () {
        const client = yield* Tcp.connect(front.port)
        yield* client.send([...greeting(0x00), ...request("127.0.0.1", targetPort)])
        return (yield* client.receive(12))[3]
      }).pipe(Effect.scoped)
      assert.strictEqual(yield* asked, 1)
      yield* front.logged({ outcome: "UpstreamFailed" })
      yield* Effect.promise(() => writeFile(authority, own.cert))
      yield* front.logged({ message: "reloaded" })
      assert.strictEqual(yield* asked, 0)
    }).pipe(Effect.scoped)
  )
})

describe.concurrent("a program", () => {
  it.live("uses the changed file, judges later requests by its rules, and leaves sessions open", () =>
    Effect.gen(function* () {
      const { write, logged, port } = yield* started(open)
      const { client, origin } = yield* Tcp.session(port)
      const { port: targetPort } = yield* Tcp.target
      yield* write(`${open}rules: [{ name: closed, deny: closed today }]\n`)
      yield* logged("reloaded")
      const denied = yield* Tcp.connect(port)
      yield* denied.send([...greeting(0x00), ...request("127.0.0.1", targetPort)])
      assert.deepStrictEqual([...(yield* denied.rest)], [0x05, 0x00, ...reply(0x02)])
      const { verdict, rule, reason } = yield* logged("decision")
      assert.deepStrictEqual(
        { verdict, rule, reason },
        { verdict: "deny", rule: "closed", reason: "closed today" }
      )
      yield* write(closed)
      yield* logged("reloaded", 2)
      assert.strictEqual(yield* selects(port, 0x00), 0xff)
      assert.strictEqual(yield* selects(port, 0x00, 0x02), 0x02)
      yield* client.send("still here")
      assert.strictEqual(new TextDecoder().decode(yield* origin.receive(10)), "still here")
    })
  )

  it.live(
    "keeps the settings when the file is invalid, reports all mistakes, and takes the next valid file",
    () =>
      Effect.gen(function* () {
        const { path, write, logged, port } = yield* started(closed)
        const refused = (number: number) => logged("not reloaded: the earlier settings stay in force", number)
        yield* write("listen: 127.0.0.1:0\nbind: maybe\nidle-timeout: 5 minutes\n")
        const { level, reason } = yield* refused(1)
        assert.strictEqual(level, "error")
        assert.strictEqual(
          reason,
          `${path}:2:7: bind: "maybe" is not true or false\n` +
            `${path}:3:15: idle-timeout: "5 minutes" is not a duration such as 500ms, 10s, 15m or 1h, or off`
        )
        // Rules about someone who does not exist.
        yield* write(`${closed}rules: [{ allow: true, groups: stuff }]\n`)
        const line = closed.split("\n").length
        assert.strictEqual(
          (yield* refused(2)).reason,
          `${path}:${line}:32: rules[0].groups: group "stuff" of rule 1 is not a group of any user`
        )
        // No users, where others can reach it.
        yield* write("listen: [127.0.0.1:0, 0.0.0.0:0]\n")
        assert.include(String((yield* refused(3)).reason), "others can reach it and no password is set")
        assert.strictEqual(yield* selects(port, 0x00), 0xff)
        yield* write(open)
        yield* logged("reloaded")
        assert.strictEqual(yield* selects(port, 0x00), 0x00)
      })
  )

  for (const workers of [1, 2]) {
    it.live(
      `keeps the settings when an address is missing, with ${workers} worker${workers === 1 ? "" : "s"}`,
      () =>
        Effect.gen(function* () {
          const own = `workers: ${workers}\n`
          const { write, logged, port } = yield* started(`${own}${closed}`)
          // Nor with the rest of what the file says then, and it waits for nothing.
          const absent = '{ address: "[fd00:9::9]:1080", wait: 1h }'
          yield* write(`${own}listen: [127.0.0.1:0, ${absent}]\nopen: true\n`)
          const { reason } = yield* logged("not reloaded: the earlier settings stay in force")
          assert.strictEqual(
            reason,
            "cannot listen on [fd00:9::9]:1080: this machine does not have the address"
          )
          assert.strictEqual(yield* selects(port, 0x00), 0xff)
          assert.strictEqual(yield* selects(port, 0x02), 0x02)
          yield* write(`${own}${open}`)
          yield* logged("reloaded")
          assert.strictEqual(yield* selects(port, 0x00), 0x00)
        })
    )
  }

  it.live("ends sessions that are no longer allowed, with --end-denied", () =>
    Effect.gen(function* () {
      const users = (...names: ReadonlyArray<string>) =>
        `users: [${names.map((name) => `"${name}:secret"`).join(", ")}]\nend-denied: true\n`
      const { write, logged, port } = yield* started(`${open}${users("alice", "bob")}`)
      const targets = [yield* Tcp.target, yield* Tcp.target, yield* Tcp.target]
      const gone = yield* Tcp.sessionOf("alice", port, targets[0]!)
      const denied = yield* Tcp.sessionOf("bob", port, targets[1]!)
      const fine = yield* Tcp.sessionOf("bob", port, targets[2]!)
      yield* write(
        `${open}${users("bob")}rules: [{ deny: true, ports: ${targets[1]!.port} }, { allow: true }]\n`
      )
      yield* logged("reloaded")
      for (const { client, origin } of [gone, denied]) {
        assert.strictEqual(yield* client.ending, "reset")
        assert.strictEqual(yield* origin.ending, "reset")
      }
      yield* fine.client.send("still here")
      assert.strictEqual(new TextDecoder().decode(yield* fine.origin.receive(10)), "still here")
      assert.strictEqual((yield* logged("session")).outcome, "denied")
    })
  )

  it.live("reads its settings again at SIGHUP, and survives a flood of SIGHUPs", () =>
    Effect.gen(function* () {
      const { running, logged, port } = yield* started(open)
      yield* running.kill("SIGHUP")
      yield* logged("reloaded")
      yield* running.kill("SIGHUP")
      yield* logged("reloaded", 2)
      yield* Effect.forEach(Array.from({ length: 40 }), () =>
        Effect.andThen(running.kill("SIGHUP"), Effect.sleep("5 millis"))
      )
      yield* logged("reloaded", 4)
      assert.strictEqual(yield* selects(port, 0x00), 0x00)
    })
  )
})

describe("explain", () => {
  it.live("names the rule that decides, and exits with a code for the decision", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "a.yaml")
      const rules = `rules:
  - { name: no mail, deny: we send no mail, ports: 25 }
  - { name: ours, allow: true, groups: staff, to: 127.0.0.1 }
`
      yield* Effect.promise(() => writeFile(path, `${closed}${rules}`))
      const ask = (...flags: ReadonlyArray<string>) => Program.run(["explain", "--config", path, ...flags])
      const allowed = yield* ask("--user", "alice", "--to", "localhost:443", "--address", "127.0.0.1")
      assert.strictEqual(allowed.code, 0)
      assert.match(
        allowed.stdout,
        /no mail: does not match \(ports: 25\)\n.*ours: matches\nAllowed by: ours\n$/s
      )
      const denied = yield* ask("--user", "bob", "--to", "127.0.0.1:443")
      assert.deepStrictEqual([denied.code, denied.stderr], [1, 'warning: "bob" is none of the users\n'])
      assert.match(denied.stdout, /Denied by: no rule matches \(no rule allows it\)\n$/)
    })
  )
})
