/**
 * What systemd passes and is told, with Python in its place.
 *
 * @module-tag transport
 */

import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { itNeeds } from "../support/needs.ts"
import * as Origin from "../support/origin.ts"
import { output } from "../support/processes.ts"
import * as Program from "../support/program.ts"
import { directory } from "../support/temporary.ts"

/**
 * Passes listening sockets as systemd.socket(5) does, one for each `NAME=ADDRESS`, where ADDRESS is an IP or a path:
 * one that others may use, unless its name is "own".
 */
const activate = (...sockets: ReadonlyArray<string>): Program.Options => ({
  by: [
    "python3",
    "-c",
    `
import os, socket, sys
names, passed = [], []
for item in sys.argv[1].split(","):
    name, address = item.split("=")
    path = address.startswith("/")
    os.umask(0o077 if name == "own" else 0o022)
    s = socket.socket(socket.AF_UNIX if path else socket.AF_INET6 if ":" in address else socket.AF_INET)
    s.bind(address if path else (address, 0))
    s.listen()
    names.append(name)
    passed.append(s)
for index, s in enumerate([os.dup2(s.fileno(), 100 + i) for i, s in enumerate(passed)]):
    os.dup2(s, 3 + index)
os.environ.update(LISTEN_FDS=str(len(passed)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=":".join(names))
os.execvp(sys.argv[2], sys.argv[2:])
`,
    sockets.join(",")
  ]
})

/** Sockets in the file system that others may use are no sockets of this machine alone. */
const toLoopback = ["--private-targets", "allow"]

const anyPort = /^127\.0\.0\.1:\d+$/

describe.concurrent("systemd", () => {
  itNeeds("python3", "curl")("listens on every socket passed, and takes no new port", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "socket")
      const by = activate("web=127.0.0.1", `local=${path}`)
      const flags = ["--listen", "systemd", "--open", ...toLoopback]
      const { addresses, logged, stop } = yield* Program.start(flags, by)
      assert.deepInclude(yield* logged({ message: "listening" }), { privateTargets: true })
      assert.match(addresses[0]!, anyPort)
      assert.strictEqual(addresses[1], `unix:${path}`)
      const { url } = yield* Origin.http()
      assert.strictEqual(yield* output("curl", ["-s", "-x", `socks5h://${addresses[0]}`, url]), Origin.page)
      assert.strictEqual(yield* output("curl", ["-s", "-x", `socks5h://localhost${path}`, url]), Origin.page)
      assert.strictEqual((yield* stop).code, 0)
    })
  )

  itNeeds("python3", "curl")("listens on every socket passed with all of several workers, and again", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "socket")
      const by = activate("web=127.0.0.1", `own=${path}`)
      const flags = ["--workers", "2", "--log-level", "debug", "--listen", "systemd"]
      const { addresses, logged, stop } = yield* Program.start(flags, by)
      assert.deepInclude(yield* logged({ message: "listening" }), { privateTargets: true })
      assert.match(addresses[0]!, anyPort)
      assert.strictEqual(addresses[1], `unix:${path}`)
      const { url } = yield* Origin.http()
      const passes = Effect.gen(function* () {
        for (const proxy of [`socks5h://${addresses[0]}`, `socks5h://localhost${path}`]) {
          assert.strictEqual(yield* output("curl", ["-s", "-x", proxy, url]), Origin.page)
        }
      })
      yield* passes
      const { pid } = yield* logged({ message: "a worker serves" })
      process.kill(Number(pid), "SIGKILL")
      yield* logged({ message: "a worker serves", level: "info" })
      yield* passes
      assert.strictEqual((yield* stop).code, 0)
    })
  )

  itNeeds("python3", "curl")(
    "listens on the sockets of a name, and lets clients go everywhere if only this machine reaches them",
    () =>
      Effect.gen(function* () {
        const by = activate("web=127.0.0.1", "admin=127.0.0.2", "web=127.8.8.8", "web=::1")
        const { addresses, logged } = yield* Program.start(["--listen", "systemd:web"], by)
        assert.deepStrictEqual(
          addresses.map((address) => address.slice(0, address.lastIndexOf(":"))),
          ["127.0.0.1", "127.8.8.8", "[::1]"]
        )
        assert.deepInclude(yield* logged({ message: "listening" }), { privateTargets: true })
        const { url } = yield* Origin.http()
        for (const address of addresses) {
          assert.strictEqual(yield* output("curl", ["-s", "-x", `socks5h://${address}`, url]), Origin.page)
        }
      })
  )

  itNeeds("python3", "curl")("keeps clients from private targets while other machines reach a socket", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const file = join(path, "settings.yaml")
      const write = (...names: ReadonlyArray<string>) =>
        writeFileSync(file, JSON.stringify({ open: true, listen: names.map((name) => `systemd:${name}`) }))
      write("all", "web")
      const sockets = ["all=0.0.0.0", "all6=::", `file=${join(path, "socket")}`, "web=127.0.0.1"]
      const { addresses, logged } = yield* Program.start(["--config", file], activate(...sockets))
      assert.deepInclude(yield* logged({ message: "listening" }), { privateTargets: false })
      const { url } = yield* Origin.http()
      const curl = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "-x", `http://${addresses[1]}`, url]
      assert.strictEqual(yield* output("curl", curl), "403")
      for (const [index, [other, status]] of [
        ["all6", "403"],
        ["file", "403"],
        [undefined, "200"]
      ].entries()) {
        write(...(other === undefined ? [] : [other]), "web")
        yield* logged({ message: "reloaded" }, index + 1)
        assert.strictEqual(yield* output("curl", curl), status, other)
      }
    })
  )

  itNeeds("python3")("refuses a socket that others can reach", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* Program.run(["--listen", "systemd"], activate("web=0.0.0.0"))
      assert.strictEqual(code, 2)
      assert.match(stderr, /refusing to listen on 0\.0\.0\.0:\d+: others can reach it/)
    })
  )

  itNeeds("python3")("says so if there is no such socket, or if they are another process's", () =>
    Effect.gen(function* () {
      const none = (name: string) => `cannot listen on ${name}: systemd passed no such socket\n`
      const misnamed = yield* Program.run(["--listen", "systemd:admin"], activate("web=127.0.0.1"))
      assert.deepStrictEqual([misnamed.code, misnamed.stderr], [1, none("systemd:admin")])
      const foreign = yield* Program.run(["--listen", "systemd"], {
        by: Program.shell('LISTEN_FDS=1 LISTEN_PID=1 exec "$@" 3</dev/null')
      })
      assert.deepStrictEqual([foreign.code, foreign.stderr], [1, none("systemd")])
    })
  )

  itNeeds("python3", "systemd-notify")("tells that it is ready, and that it stops", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "notify")
      const receiver = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(10)
messages = []
while "STOPPING=1" not in messages:
    text, fds, _, _ = socket.recv_fds(s, 1024, 4)
    for fd in fds: os.close(fd)
    messages += text.decode().split()
print(",".join(m for m in messages if m in ("READY=1", "STOPPING=1")))
`
      const told = yield* Effect.forkScoped(output("python3", ["-c", receiver, path]))
      while (!existsSync(path)) {
        yield* Effect.sleep("20 millis")
      }
      const { logged, stop } = yield* Program.start(["--listen", "127.0.0.1:0"], {
        env: { NOTIFY_SOCKET: path }
      })
      yield* logged({ message: "listening" })
      assert.strictEqual((yield* stop).code, 0)
      assert.strictEqual((yield* Fiber.join(told)).trim(), "READY=1,STOPPING=1")
    })
  )
})
