/**
 * Several processes that serve as one: who comes in, how they start and stop,
 * and what is lost when one of them dies.
 *
 * @module-tag transport
 */
import { existsSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { message, receive } from "../support/http.ts"
import { greeting, request } from "../support/messages.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"
import * as Workers from "../support/workers.ts"

/** A socket in the file system that others may use is none of this machine alone. */
const toLoopback = ["--private-targets", "allow"]

describe.concurrent("Workers", () => {
  it.live(
    "share a port that the system chooses, a given port, and a Unix-domain socket, and stop in order",
    () =>
      Effect.gen(function* () {
        const path = join(yield* Temporary.directory, "socket")
        const socket = ["--listen", `unix:${path}`, "--unix-mode", "0660"]
        const own = `127.0.0.1:${yield* Workers.freePort}`
        const server = yield* Workers.start([
          "--listen",
          "127.0.0.1:0",
          "--listen",
          own,
          ...socket,
          ...toLoopback
        ])
        assert.deepStrictEqual(server.addresses.slice(1), [own, `unix:${path}`])
        assert.strictEqual(statSync(path).mode & 0o777, 0o660)

        // The socket outlives a worker, and no other server takes it.
        const [victim] = yield* server.pids
        process.kill(victim!, "SIGKILL")
        yield* server.logged({ message: "a worker died" })
        const pids = yield* server.pids
        const second = yield* Program.run(["--workers", "2", ...socket])
        assert.strictEqual(
          second.stderr,
          `cannot listen on unix:${path}: it is in use already, by another program or by another listener\n`
        )
        assert.isTrue(existsSync(path))

        const ports = [server.port, Program.portOf(own)]
        const sessions = (yield* Effect.forEach(ports, (port) => Workers.sessions(port, pids))).flat()
        yield* server.kill("SIGUSR2")
        const { workers } = yield* server.logged({ message: "sessions", sessions: sessions.length })
        assert.lengthOf(workers as ReadonlyArray<unknown>, 2)

        yield* server.kill("SIGTERM")
        yield* server.logged({ message: "draining" })
        // Each closes its own door, the last one maybe late: what comes in there must not stay, or it is drained, too.
        // A door that closes resets what it had not taken yet.
        for (const port of ports) {
          const refused = Effect.repeat(
            Effect.retry(Effect.scoped(Effect.flip(Tcp.connect(port))), Schedule.spaced("10 millis")),
            { until: (code) => code !== "ECONNRESET" }
          )
          assert.strictEqual(yield* refused, "ECONNREFUSED")
        }
        for (const { client, origin } of sessions) {
          yield* client.send("a question")
          yield* client.end
          yield* origin.end
          yield* client.rest
        }
        const { code, stderr } = yield* server.within("5 seconds")
        assert.deepStrictEqual([code, stderr], [0, ""])
        assert.isFalse(existsSync(path))
        const finished = server.lines().filter(({ outcome }) => outcome === "finished")
        assert.lengthOf(finished, sessions.length)
        assert.strictEqual(new Set(finished.map(({ id }) => id)).size, sessions.length)
      })
  )

  it.live(
    "are replaced when they die, with an end to their own sessions only, and drain and end when the primary is gone",
    () =>
      Effect.gen(function* () {
        const server = yield* Workers.start()
        const pids = yield* server.pids
        const sessions = yield* Workers.sessions(server.port, pids)
        const [victim, survivor] = pids as [number, number]
        process.kill(victim, "SIGKILL")
        const died = yield* server.logged({ message: "a worker died" })
        assert.deepInclude(died, { level: "error", pid: victim, code: null, signal: "SIGKILL" })
        for (const { client, origin, pid } of sessions) {
          if (pid === victim) {
            yield* client.ending
          } else {
            yield* client.send("still there")
            yield* origin.receive(11)
          }
        }
        const now = yield* server.pids
        assert.include(now, survivor)
        assert.notInclude(now, victim)
        const later = yield* Workers.sessions(server.port, now)

        yield* server.kill("SIGKILL")
        for (const { client, origin } of [...sessions.filter(({ pid }) => pid === survivor), ...later]) {
          yield* client.send("still there")
          yield* origin.receive(11)
          yield* client.end
          yield* origin.end
        }
        while (now.some((pid) => existsSync(`/proc/${pid}/fd/0`))) yield* Effect.sleep("20 millis")
      })
  )

  it.live("keep their port, have one name in Via, and end at once on a second signal", () =>
    Effect.gen(function* () {
      const listen = ["--listen", `127.0.0.1:${yield* Workers.freePort}`]
      const server = yield* Workers.start([...listen, "--drain-timeout", "1m"])
      const pids = yield* server.pids

      // Refused a port that is taken, as one process is.
      const one = yield* Program.run(listen)
      assert.strictEqual(one.code, 1)
      assert.match(
        one.stderr,
        /cannot listen on .*: it is in use already, by another program or by another listener/
      )
      assert.deepStrictEqual(yield* Program.run(["--workers", "2", ...listen]), one)
      const unreadable = ["--listen", "127.0.0.1:0", "--tls-cert", "/nowhere", "--tls-key", "/nowhere"]
      const several = yield* Program.run(["--workers", "2", ...unreadable])
      assert.deepStrictEqual(several, yield* Program.run(unreadable))

      // A request that comes back is recognised by each worker.
      const target = yield* Tcp.target
      const head = [`GET http://127.0.0.1:${target.port}/ HTTP/1.1`, "Host: 127.0.0.1"]
      // Before anything is answered, which may close them: each worker has some.
      const connections = yield* Workers.spread(
        pids,
        Effect.map(Tcp.connect(server.port), (client) => ({ client }))
      )
      const vias = yield* Effect.forEach(connections, ({ client }) =>
        Effect.gen(function* () {
          yield* client.send(message(head))
          return (yield* receive(yield* target.accept)).fields.via
        })
      )
      const [via] = vias
      assert.match(via!, /^1\.1 effect-socks-[0-9a-f]{8}$/)
      assert.deepStrictEqual([...new Set(vias)], [via])
      const later = yield* Workers.spread(
        pids,
        Effect.map(Tcp.connect(server.port), (client) => ({ client }))
      )
      for (const { client } of later) {
        yield* client.send(message([...head, `Via: ${via}`]))
        assert.strictEqual((yield* receive(client)).status, 508)
      }

      const [session] = yield* Workers.sessions(server.port, pids)
      yield* server.kill("SIGINT")
      yield* server.logged({ message: "draining" })
      yield* server.kill("SIGTERM")
      assert.strictEqual((yield* server.within("5 seconds")).code, 143)
      yield* session!.client.ending
    })
  )

  it.live("take new settings together, or not at all", () =>
    Effect.gen(function* () {
      const file = join(yield* Temporary.directory, "settings.yaml")
      const write = (text: string) => writeFileSync(file, text)
      write("workers: 2\nlisten: 127.0.0.1:0\n")
      const server = yield* Workers.start(["--config", file, "--drain-timeout", "300ms"])
      const before = yield* Workers.sessions(server.port, yield* server.pids)
      write("workers: 2\nlisten: 127.0.0.1:0\nuser: alice:secret\n")
      yield* server.logged({ message: "reloaded", asksPassword: true })
      // Whoever answers.
      for (let i = 0; i < 20; i++) {
        const client = yield* Tcp.connect(server.port)
        yield* client.send([...greeting(0x00), ...request("127.0.0.1", 9)])
        assert.deepStrictEqual([...(yield* client.rest)], [5, 0xff])
      }
      write("workers: 3\nlisten: 127.0.0.1:0\nuser: alice:changed\n")
      yield* server.logged({ message: "read at the start only: other values take a restart" })
      write("listen: nowhere\n")
      yield* server.logged({ level: "error" })
      // One that begins now goes by what is in force.
      const [victim, survivor] = yield* server.pids
      process.kill(victim!, "SIGKILL")
      yield* server.logged({ message: "a worker died" })
      yield* server.pids
      for (let i = 0; i < 20; i++) {
        assert.deepStrictEqual(yield* Tcp.logIn(server.port, "alice", "changed"), [1, 0])
      }
      const kept = before.find(({ pid }) => pid === survivor)!
      yield* kept.client.send("still there")
      yield* kept.origin.receive(11)
      assert.strictEqual((yield* server.stop).code, 0)
      const count = (message: string) =>
        server.lines().filter((line) => String(line.message).startsWith(message)).length
      assert.deepStrictEqual([count("reloaded"), count("not reloaded")], [2, 1])
    })
  )
})
