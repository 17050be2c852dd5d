/**
 * What the program writes while it runs: the banner, a line for each session,
 * no password, and nothing that a client could forge.
 */
import { existsSync, readFileSync, renameSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { greeting, request } from "../support/messages.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"
import { until } from "../support/until.ts"

describe.concurrent("the banner", () => {
  const start = (...flags: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const running = yield* Program.spawn(["--log-format", "pretty", ...flags])
      return yield* running.until((stdout) => (stdout.includes("https://example.com\n") ? stdout : undefined))
    })

  it.live("shows the address, that no password is needed, and a command to try", () =>
    Effect.gen(function* () {
      const shown = yield* start("--listen", "127.0.0.1:0")
      const [, port] = /listens on 127\.0\.0\.1:(\d+)\n/.exec(shown) ?? []
      assert.include(shown, "lets everyone in")
      assert.include(shown, "Clients can go to private addresses")
      assert.include(shown, `curl -x socks5h://127.0.0.1:${port} https://example.com`)
    })
  )

  it.live("shows every address, that a password is needed, and not the password", () =>
    Effect.gen(function* () {
      const shown = yield* start("--listen", "[::1]:0", "--listen", "0.0.0.0:0", "--user", "alice:secret")
      const [, port] = /listens on \[::1\]:(\d+)\n/.exec(shown) ?? []
      assert.match(shown, /listens on 0\.0\.0\.0:\d+\n/)
      assert.include(shown, "asks for a user name and a password")
      assert.include(shown, "Clients cannot go to private addresses")
      assert.include(shown, `curl -x socks5h://NAME:PASSWORD@[::1]:${port} https://example.com`)
      assert.notInclude(shown, "secret")
    })
  )
})

describe.concurrent("the log line of listening", () => {
  // With --private-targets, too: `rebinding.test.ts` and `systemd.test.ts`.
  for (const [listen, flags, privateTargets] of [
    ["0.0.0.0:0", ["--open"], false],
    ["0.0.0.0:0", ["--open", "--report-only"], true]
  ] as const) {
    it.live(`${listen} ${flags.join(" ")}: ${privateTargets ? "" : "no "}private targets`, () =>
      Effect.gen(function* () {
        const { port, logged } = yield* Program.start(["--listen", listen, ...flags])
        const line = yield* logged({ message: "listening" })
        assert.include(line, { privateTargets, asksPassword: false })
        assert.strictEqual(line.reportOnly, flags.includes("--report-only" as never) || undefined)
        if (!line.reportOnly) return
        // Who asks for the server itself is refused all the same, and that is logged.
        const client = yield* Tcp.connect(port)
        yield* client.send([...greeting(0x00), ...request("127.0.0.1", port)])
        assert.strictEqual((yield* client.receive(4))[3], 0x02)
        assert.include(yield* logged({ message: "decision" }), {
          verdict: "deny",
          rule: "address guard",
          reason: "this is the server itself"
        })
      })
    )
  }
})

describe.concurrent("the line of a session", () => {
  it.live("has the client, the target, the outcome and the bytes", () =>
    Effect.gen(function* () {
      const server = yield* Program.start(["--user", "alice:secret"])
      const target = yield* Tcp.target
      const client = yield* Tcp.connect(server.port)
      assert.deepStrictEqual(yield* Tcp.authenticate(client, "alice", "secret"), [0x01, 0x00])
      yield* client.send(request("localhost", target.port))
      const origin = yield* target.accept
      yield* client.receive(10)
      yield* client.send("a question")
      yield* origin.receive(10)
      yield* origin.send("an answer")
      yield* client.end
      yield* origin.end
      yield* client.ending

      assert.include(yield* server.logged({ message: "listening" }), { privateTargets: true })
      const { time, duration, client: from, ...line } = yield* server.logged({ message: "session" })
      assert.deepStrictEqual(line, {
        level: "info",
        message: "session",
        id: 1,
        listener: server.address,
        protocol: "SOCKS5",
        user: "alice",
        command: "CONNECT",
        target: `localhost:${target.port}`,
        address: `127.0.0.1:${target.port}`,
        outcome: "finished",
        reply: 0,
        sent: 10,
        received: 9
      })
      assert.match(String(from), /^127\.0\.0\.1:\d+$/)
      assert.isAtLeast(Number(duration), 0)
      assert.closeTo(Date.parse(String(time)), Date.now(), 60_000)
    })
  )
})

for (const format of ["json", "pretty"]) {
  describe.concurrent(`the log as ${format}`, () => {
    const flags = ["--listen", "127.0.0.1:0", "--log-level", "trace", "--log-format", format]
    const serve = Effect.gen(function* () {
      const running = yield* Program.spawn([...flags, "--user", "alice:open sesame"])
      const port = yield* running.until((stdout) => /127\.0\.0\.1:(\d+)/.exec(stdout)?.[1])
      const before = yield* running.until((stdout) => stdout || undefined)
      /** All that it writes from here to its end. */
      const rest = Effect.gen(function* () {
        yield* running.kill("SIGTERM")
        const { stdout, stderr } = yield* running.within("5 seconds")
        const lines = stdout.slice(before.length).trim().split("\n")
        return { all: stdout + stderr, lines: lines.filter((line) => !line.includes("draining")) }
      })
      return { port: Number(port), rest }
    })

    it.live(
      "has one line for each session and each failed login, whatever the client sends, and never a password",
      () =>
        Effect.gen(function* () {
          const { port, rest } = yield* serve
          const forged = '\u001b[2J\u009b\r\n{"message":"session"}\u202e\u2028\0'
          yield* Tcp.logIn(port, `eve${forged}`, "open wheat")
          const client = yield* Tcp.connect(port)
          yield* Tcp.authenticate(client, "alice", "open sesame")
          yield* client.send(request(`mallory${forged}`, 80))
          assert.strictEqual((yield* client.receive(10))[1], 0x01)
          yield* client.end
          yield* Tcp.logIn(port, "nobody", "open barley")

          const { all, lines } = yield* rest
          assert.notMatch(all, /[^\n\P{C}]|[\p{Zl}\p{Zp}]/u)
          assert.include(all, "eve")
          assert.include(all, "mallory")
          assert.include(all, "nobody")
          // And one that sums up who came to no request.
          assert.lengthOf(lines, 3 + 2 + 1, all)
          // Right or wrong; as text, base64, hex, or a list of bytes.
          assert.notMatch(all, /sesame|barley|wheat|b3Blbi|6f70656e|111,112,101,110/)
        })
    )
  })
}

it.live("goes to one file of all workers, and to a new file after a rename", () =>
  Effect.gen(function* () {
    const path = join(yield* Temporary.directory, "proxy.log")
    const flags = ["--listen", "127.0.0.1:0", "--workers", "2", "--log-file", path]
    const running = yield* Program.spawn(flags)
    const messages = (file: string) =>
      existsSync(file)
        ? readFileSync(file, "utf8")
            .trim()
            .split("\n")
            .filter((line) => line !== "")
            .map((line) => JSON.parse(line).message)
        : []
    const logged = (message: string) => until(() => messages(path).includes(message))
    yield* logged("listening")
    renameSync(path, `${path}.1`)
    yield* running.kill("SIGHUP")
    yield* logged("reloaded")
    assert.notInclude(messages(path), "listening")
    const [listening = ""] = readFileSync(`${path}.1`, "utf8").split("\n")
    const { client, origin } = yield* Tcp.session(Program.portOf(JSON.parse(listening).addresses[0]))
    yield* Effect.andThen(client.end, origin.end)
    yield* until(() => [path, `${path}.1`].some((file) => messages(file).includes("session")))
    yield* running.kill("SIGTERM")
    assert.strictEqual((yield* running.within("5 seconds")).stdout, "")
  }).pipe(Effect.scoped)
)
