/**
 * Programs that know nothing of proxies, and what makes them use one.
 */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describeWith, python } from "../support/clients.ts"
import * as Dante from "../support/dante.ts"
import * as Origin from "../support/origin.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import { proxy, serverOfLoopback } from "../support/servers.ts"
import * as Temporary from "../support/temporary.ts"

/** A file with these lines, gone with the test. */
const file = Effect.fnUntraced(function* (...lines: ReadonlyArray<string>) {
  const path = join(yield* Temporary.directory, "proxy.conf")
  yield* Effect.promise(() => writeFile(path, `${lines.join("\n")}\n`))
  return path
})

describeWith(["proxychains4", "python3-socks"], () => {
  it.live("takes Python through the server, by a name that the server resolves", () =>
    Effect.gen(function* () {
      const server = yield* Program.start(["--user", "username:password"])
      const { port } = yield* Origin.http()
      const proxy = `socks5 127.0.0.1 ${server.port} username password`
      const config = yield* file("strict_chain", "proxy_dns", "remote_dns_subnet 224", "[ProxyList]", proxy)
      const script = `import urllib.request as r; print(r.urlopen("http://origin.localhost:${port}/").read().decode())`
      const { stdout, stderr } = yield* Processes.run("proxychains4", [
        ...["-q", "-f", config, python, "-c", script]
      ])
      assert.strictEqual(stdout, `${Origin.page}\n`, stderr)
      yield* server.logged({ message: "session", user: "username", target: `origin.localhost:${port}` })
    })
  )
})

describeWith(["dante-client", "curl"], () => {
  it.live("takes curl through the server", () =>
    Effect.gen(function* () {
      const server = yield* Program.start()
      const { url, port } = yield* Origin.http()
      const env = yield* Dante.environment(server.port)
      const { stdout, stderr } = yield* Processes.run("socksify", ["curl", "-sS", url], { env })
      assert.strictEqual(stdout, Origin.page, stderr)
      yield* server.logged({ command: "CONNECT", target: `127.0.0.1:${port}`, outcome: "finished" })
    })
  )
})

// These two connect to loopback by themselves, so curl asks for an address that is nobody's (RFC 5737).
const elsewhere = (port: number) => `http://203.0.113.1:${port}/`

const withPassword = { user: [{ name: "username", password: Redacted.make("password") }] }

describeWith(["tsocks", "curl"], () => {
  it.live.each([
    ["4", {}],
    ["5", withPassword]
  ] as const)("takes curl through the server over SOCKS%s", ([version, config]) =>
    Effect.gen(function* () {
      const { port } = yield* Origin.http()
      const server = ["server = 127.0.0.1", `server_port = ${yield* proxy()}`, `server_type = ${version}`]
      const user = "user" in config ? ["default_user = username", "default_pass = password"] : []
      const env = { TSOCKS_CONF_FILE: yield* file(...server, ...user) }
      const { stdout, stderr } = yield* Processes.run("tsocks", ["curl", "-sS", elsewhere(port)], { env })
      assert.strictEqual(stdout, Origin.page, stderr)
    }).pipe(Effect.provide(serverOfLoopback(config)))
  )
})

describeWith(["torsocks", "curl"], () => {
  it.live("takes curl through the server", () =>
    Effect.gen(function* () {
      const { port } = yield* Origin.http()
      const server = ["TorAddress 127.0.0.1", `TorPort ${yield* proxy()}`]
      const user = ["SOCKS5Username username", "SOCKS5Password password"]
      const env = { TORSOCKS_CONF_FILE: yield* file(...server, ...user) }
      const { stdout, stderr } = yield* Processes.run("torsocks", ["curl", "-sS", elsewhere(port)], { env })
      assert.strictEqual(stdout, Origin.page, stderr)
    }).pipe(Effect.provide(serverOfLoopback(withPassword)))
  )
})
