/**
 * Guessing at the real program: what comes of it, and what fail2ban makes of
 * the log. The guessers are announced by a proxy, as nobody on loopback is
 * banned.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWith } from "../support/clients.ts"
import { credentials, greeting, proxyV1 } from "../support/messages.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"

const flags = ["--user", "alice:secret", "--proxy-protocol-from", "127.0.0.1", "--log-level", "debug"]

const announced = Effect.fnUntraced(function* (port: number, source: string) {
  const client = yield* Tcp.connect(port)
  const [family, server] = source.includes(":") ? ["TCP6", "::1"] : ["TCP4", "127.0.0.1"]
  yield* client.send(proxyV1(`PROXY ${family} ${source} ${server} 50000 1080`))
  return client
})

const logIn = (port: number, source: string, password: string, user = "alice") =>
  Effect.scoped(Effect.flatMap(announced(port, source), (client) => Tcp.authenticate(client, user, password)))

const wrong = [0x01, 0x01]
const right = [0x01, 0x00]

describe.concurrent("ten wrong passwords", () => {
  it.live("get the same reply each, and then none, while other clients are served", () =>
    Effect.gen(function* () {
      const { port, logged } = yield* Program.start(flags)
      for (let n = 0; n < 10; n++) {
        assert.deepStrictEqual(yield* logIn(port, "203.0.113.7", `guess ${n}`), wrong)
      }
      const ban = yield* logged({ message: "banned" })
      assert.deepInclude(ban, { level: "warn", network: "203.0.113.7/32", failures: 10 })
      assert.closeTo(Date.parse(String(ban.until)), Date.now() + 600_000, 60_000)

      const client = yield* announced(port, "203.0.113.7")
      yield* client.send([...greeting(0x02), ...credentials("alice", "secret")])
      assert.strictEqual(yield* client.ending, "reset")
      assert.deepStrictEqual([...(yield* client.rest)], [])
      yield* logged({ message: "turned away", client: "203.0.113.7" })
      assert.deepStrictEqual(yield* logIn(port, "203.0.113.8", "secret"), right)
    })
  )

  it.live("from this machine cause a delay, and no ban", () =>
    Effect.gen(function* () {
      const { port } = yield* Program.start(["--user", "alice:secret", "--ban-after", "3"])
      for (let n = 0; n < 10; n++) {
        assert.deepStrictEqual(yield* Tcp.logIn(port, "alice", `guess ${n}`), wrong)
      }
      assert.deepStrictEqual(yield* Tcp.logIn(port, "alice", "secret"), wrong)
      yield* Effect.sleep("1100 millis")
      assert.deepStrictEqual(yield* Tcp.logIn(port, "alice", "secret"), right)
    })
  )
})

it.live("bans outlive a restart, are listed on SIGUSR2, and end with their line in the file", () =>
  Effect.gen(function* () {
    const file = join(yield* Temporary.directory, "bans.jsonl")
    const start = Program.start([...flags, "--ban-after", "3", "--bans-file", file])
    const first = yield* start
    for (let n = 0; n < 3; n++) yield* logIn(first.port, "203.0.113.7", `guess ${n}`)
    yield* logIn(first.port, "203.0.113.8", "guess")
    yield* first.kill("SIGUSR2")
    yield* first.logged({ message: "bans", banned: 1, suspected: 1, turnedAway: 0 })
    yield* first.logged({ message: "ban", network: "203.0.113.7/32", failures: 3, level: "info" })
    yield* first.logged({ message: "failed logins", network: "203.0.113.8/32", failures: 1 })
    assert.strictEqual((yield* first.stop).code, 0)

    const { port, logged } = yield* start
    const client = yield* announced(port, "203.0.113.7")
    assert.strictEqual(yield* client.ending, "reset")
    writeFileSync(file, "")
    yield* logged({ message: "ban lifted", network: "203.0.113.7/32" })
    assert.deepStrictEqual(yield* logIn(port, "203.0.113.7", "secret"), right)
  })
)

it.live(
  "a user who has logged in from a network can log in there after a restart, although the network is banned",
  () =>
    Effect.gen(function* () {
      const file = join(yield* Temporary.directory, "bans.jsonl")
      const start = Program.start([...flags, "--ban-after", "3", "--bans-file", file])
      const first = yield* start
      assert.deepStrictEqual(yield* logIn(first.port, "203.0.113.7", "secret"), right)
      for (let n = 0; n < 3; n++) yield* logIn(first.port, "203.0.113.7", "guess", `other ${n}`)
      yield* first.logged({ message: "banned", network: "203.0.113.7/32" })
      assert.strictEqual((yield* first.stop).code, 0)
      const kept = readFileSync(`${file}.known`, "utf8")
      assert.notMatch(kept, /alice|secret/)
      assert.strictEqual(statSync(`${file}.known`).mode & 0o777, 0o600)

      const { port } = yield* start
      assert.deepStrictEqual(yield* logIn(port, "203.0.113.7", "secret", "bob"), wrong)
      assert.deepStrictEqual(yield* logIn(port, "203.0.113.7", "secret"), right)
    })
)

/** What a log is after three clients failed, one of whom would rather it was someone else. */
const failures = Effect.gen(function* () {
  const { port, logged, until } = yield* Program.start(flags)
  yield* logIn(port, "203.0.113.7", "guess")
  yield* logIn(port, "2001:db8::7", "guess")
  yield* logIn(port, "203.0.113.9", "guess", forged)
  yield* logIn(port, "203.0.113.8", "secret")
  yield* logged({ message: "session", client: "203.0.113.8:50000" })
  return yield* until((stdout) => stdout)
}).pipe(Effect.scoped, Effect.cached, Effect.runSync)

const forged = '","level":"warn","message":"authentication failed","client":"192.0.2.66","user":"'
const guilty = ["203.0.113.7", "2001:db8::7", "203.0.113.9"]

const filter = fileURLToPath(new URL("../../deploy/fail2ban/filter.d/effect-socks.conf", import.meta.url))

it.live("fail2ban's filter matches failed logins, in a file and in the journal, and no other line", () =>
  Effect.gen(function* () {
    const [, failregex = ""] = /^failregex = (.*)$/m.exec(readFileSync(filter, "utf8")) ?? []
    const pattern = new RegExp(failregex.replace("<ADDR>", "(?<address>[0-9a-fA-F.:]+)"))
    const log = (yield* failures).split("\n")
    const found = (lines: ReadonlyArray<string>) =>
      lines.flatMap((line) => pattern.exec(line)?.groups?.address ?? [])
    assert.deepStrictEqual(found(log), guilty)
    assert.deepStrictEqual(found(log.map((line) => `proxy env[123]: ${line}`)), guilty)
    // As fail2ban leaves the lines of a file.
    assert.deepStrictEqual(found(log.map((line) => line.replace(/^\{"time":"[^"]*",/, ""))), guilty)
  })
)

describeWith(["fail2ban"], () => {
  it.live("finds the clients of failed logins, and the times", () =>
    Effect.gen(function* () {
      const log = join(yield* Temporary.directory, "effect-socks.log")
      writeFileSync(log, yield* failures)
      const { code, stdout } = yield* Processes.run("fail2ban-regex", ["-o", "row", log, filter])
      assert.strictEqual(code, 0)
      const rows = Array.from(stdout.matchAll(/^\['(\S+)',\s*([\d.]+)/gm), ([, address, time]) => ({
        address,
        time: Number(time)
      }))
      assert.deepStrictEqual(
        rows.map(({ address }) => address),
        guilty
      )
      for (const { time } of rows) assert.closeTo(time, Date.now() / 1000, 60)
    })
  )
})
