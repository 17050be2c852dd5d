/**
 * Several processes on a machine that has not enough for them, and those that take
 * long for what they do.
 *
 * @module-tag transport
 */
import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { request } from "../support/messages.ts"
import { itNeeds } from "../support/needs.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"
import * as Workers from "../support/workers.ts"

/** Lets a process have only so many files open; those it has stay open. */
const limitFiles = (pid: number, count: number) =>
  execFileSync("prlimit", [`--pid=${pid}`, `--nofile=${count}:`])

const parentOf = (pid: number): number =>
  Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])

/** Those that have not ended yet. */
const childrenOf = (pid: number): ReadonlyArray<number> =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .split(" ")
    .filter((child) => child !== "")
    .map(Number)
    .filter(isThere)

describe.concurrent("Workers", () => {
  itNeeds("prlimit")("are replaced as soon as there can be another process, and end in order without", () =>
    Effect.gen(function* () {
      const server = yield* Workers.start(["--drain-timeout", "300ms"])
      const [first, second] = (yield* server.pids) as [number, number]
      const primary = parentOf(first)
      const open = readdirSync(`/proc/${primary}/fd`).length
      limitFiles(primary, open - 3)
      process.kill(first, "SIGKILL")
      yield* server.logged({ message: "a worker could not start" })
      limitFiles(primary, 1024)
      const pids = yield* server.pids
      assert.include(pids, second)
      yield* Workers.sessions(server.port, pids)

      limitFiles(primary, open - 3)
      process.kill(second, "SIGKILL")
      yield* server.logged({ message: "a worker died", pid: second })
      assert.strictEqual((yield* server.stop).code, 0)
    })
  )

  it.live(
    "use the last text of a file that changed during a reload, and are killed if they do not answer the stop",
    () =>
      Effect.gen(function* () {
        const file = join(yield* Temporary.directory, "settings.yaml")
        const write = (text: string) => writeFileSync(file, `workers: 2\nlisten: 127.0.0.1:0\n${text}`)
        write("")
        const server = yield* Workers.start(["--config", file, "--drain-timeout", "300ms"])
        const pids = yield* server.pids
        for (const pid of pids) process.kill(pid, "SIGSTOP")
        write("session-rate: 100\n")
        // It is read, and the workers are told.
        yield* Effect.sleep("500 millis")
        write("user: alice:secret\n")
        yield* Effect.sleep("200 millis")
        for (const pid of pids) process.kill(pid, "SIGCONT")
        yield* server.logged({ message: "reloaded", asksPassword: true })

        const [first] = pids
        process.kill(first!, "SIGSTOP")
        yield* server.kill("SIGTERM")
        assert.strictEqual((yield* server.within("10 seconds")).code, 0)
        assert.isFalse(isThere(first!))
      })
  )

  it.live(
    "are replaced when they are stopped, delay no reload, and then listen on added listeners, too",
    () =>
      Effect.gen(function* () {
        const directory = yield* Temporary.directory
        const file = join(directory, "settings.yaml")
        const write = (settings: object) =>
          writeFileSync(file, JSON.stringify({ workers: 2, "drain-timeout": "300ms", ...settings }))
        const [first, second] = [
          `127.0.0.1:${yield* Workers.freePort}`,
          `127.0.0.1:${yield* Workers.freePort}`
        ]
        write({ listen: first, user: "alice:secret" })
        const server = yield* Workers.start(["--config", file])
        const [stopped, other] = yield* server.pids
        process.kill(stopped!, "SIGSTOP")
        write({ listen: first, user: "bob:secret" })
        yield* server.logged({ message: "reloaded" })
        assert.deepInclude(yield* server.logged({ message: "a worker died", pid: stopped }), {
          signal: "SIGKILL"
        })
        const pids = yield* server.pids
        assert.include(pids, other)
        // A user who is removed does not get in.
        for (let i = 0; i < 12; i++) {
          assert.deepStrictEqual(yield* Tcp.logIn(server.port, "bob", "secret"), [1, 0])
        }
        for (let i = 0; i < 3; i++) {
          assert.deepStrictEqual(yield* Tcp.logIn(server.port, "alice", "secret"), [1, 1])
        }

        const before = server.stdout().length
        write({ listen: [first, `unix:${join(directory, "socket")}`, second] })
        yield* server.logged({ message: "reloaded" }, 2)
        assert.deepStrictEqual(yield* server.pids, pids)
        process.kill(other!, "SIGKILL")
        yield* server.logged({ message: "a worker died", pid: other })
        yield* Workers.sessions(Program.portOf(second), yield* server.pids)
        const { stdout } = yield* server.stop
        assert.notMatch(stdout.slice(before), /replaced|could not start/)
      })
  )

  it.live("free the slots that other workers need when they are stopped", () =>
    Effect.gen(function* () {
      const server = yield* Workers.start(["--user", "alice:secret", "--max-sessions-per-user", "1"])
      const pids = yield* server.pids
      const target = yield* Tcp.target
      const first = yield* Tcp.sessionOf("alice", server.port, target)
      const [stopped] = Workers.serversOf([first.client], pids)
      process.kill(stopped!, "SIGSTOP")
      const ask = Effect.gen(function* () {
        const client = yield* Tcp.connect(server.port)
        yield* Tcp.authenticate(client, "alice", "secret")
        yield* client.send(request("127.0.0.1", target.port))
        return (yield* client.receive(10))[1]
      })
      // Some of them are the stopped one's, and end with it.
      const asks = Effect.forEach(Array.from({ length: 20 }), () => Effect.exit(ask), {
        concurrency: "unbounded"
      })
      yield* Effect.forkScoped(asks)
      yield* target.accept
      yield* server.logged({ message: "a worker died", pid: stopped })
    })
  )

  it.live("are replaced at once, however often they are killed before they serve", () =>
    Effect.gen(function* () {
      const server = yield* Workers.start(["--listen", `127.0.0.1:${yield* Workers.freePort}`])
      const [first] = yield* server.pids
      const primary = parentOf(first!)
      let start = 0
      for (let i = 0; i < 9; i++) {
        while (childrenOf(primary).length < 2) yield* Effect.sleep("10 millis")
        const killed = childrenOf(primary)
        for (const pid of killed) process.kill(pid, "SIGKILL")
        while (killed.some(isThere)) yield* Effect.sleep("10 millis")
        start = performance.now()
      }
      while (childrenOf(primary).length < 2) yield* Effect.sleep("10 millis")
      // The delay is one second where no worker serves. It would be ten if others served.
      assert.isBelow(performance.now() - start, 5000)
      yield* Workers.sessions(server.port, yield* server.pids)
    })
  )

  it.live("drain and end when the primary dies while a worker asks for a listener", () =>
    Effect.gen(function* () {
      const directory = yield* Temporary.directory
      const [file, hook] = [join(directory, "settings.yaml"), join(directory, "hook.cjs")]
      writeFileSync(hook, dying)
      writeFileSync(file, "workers: 2\nlisten: 127.0.0.1:0\n")
      const env = { NODE_OPTIONS: `--require ${hook}`, ARMED: join(directory, "armed") }
      const server = yield* Workers.start(["--config", file], { env })
      const pids = yield* server.pids
      const primary = parentOf(pids[0]!)
      const sessions = yield* Workers.sessions(server.port, pids)
      writeFileSync(env.ARMED, "")
      writeFileSync(file, "workers: 2\nlisten: [127.0.0.1:0, 127.0.0.1:0]\n")
      while (isThere(primary)) yield* Effect.sleep("20 millis")
      yield* Effect.sleep("200 millis")
      for (const { client, origin } of sessions) {
        yield* client.send("still there")
        yield* origin.receive(11)
        yield* client.end
        yield* origin.end
      }
      while (pids.some(isThere)) yield* Effect.sleep("20 millis")
    })
  )
})

const isThere = (pid: number): boolean => existsSync(`/proc/${pid}/fd/0`)

/** Has a worker end its primary in the middle of Node's own talk about a listener: it has asked, and gets no answer. */
const dying = `
if (process.env.EFFECT_SOCKS_WORKER) {
  const { send } = process
  process.send = function (message, ...rest) {
    if (message?.act === "queryServer" && require("node:fs").existsSync(process.env.ARMED)) {
      process.kill(process.ppid, "SIGSTOP")
      setTimeout(() => process.kill(process.ppid, "SIGKILL"), 50)
    }
    return send.call(this, message, ...rest)
  }
}
`
