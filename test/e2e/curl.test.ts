/**
 * curl, the client most people try first.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { connect } from "node:tls"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWith } from "../support/clients.ts"
import * as Origin from "../support/origin.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import { directory } from "../support/temporary.ts"

const curl = (...args: ReadonlyArray<string>) => Processes.run("curl", ["-sS", "--max-time", "10", ...args])

const withPassword = ["--user", "username:password"]

/** The certificate (PEM) of the server on this port. */
const presented = (port: number) =>
  Effect.callback<string>((resume) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
      resume(Effect.succeed(String(socket.getPeerX509Certificate())))
      socket.destroy()
    })
  })

const open = Program.forFile()

const closed = Program.forFile([...withPassword, "--log-level", "debug"])

// curl's exit code for a proxy that said no.
const refusedByProxy = 97

describeWith(["curl"], () => {
  it.live("gets a page with --socks5 and a password", () =>
    Effect.gen(function* () {
      const server = yield* Program.start(withPassword)
      const { url, certificate } = yield* Origin.https()
      const { code, stdout, stderr } = yield* Processes.run("curl", [
        ...["-v", "--socks5", server.address, "-U", "username:password", "--cacert", certificate, url]
      ])
      assert.strictEqual(code, 0, stderr)
      assert.strictEqual(stdout, Origin.page)
      const session = yield* server.logged({ message: "session" })
      assert.deepInclude(session, { user: "username", outcome: "finished", reply: 0 })
    })
  )

  it.live("has the server resolve a name with --socks5-hostname", () =>
    Effect.gen(function* () {
      const server = yield* open
      const { port, certificate } = yield* Origin.https()
      const url = `https://localhost:${port}/`
      const { stdout } = yield* curl("--socks5-hostname", server.address, "--cacert", certificate, url)
      assert.strictEqual(stdout, Origin.page)
      const session = yield* server.logged({ message: "session" })
      assert.deepInclude(session, { target: `localhost:${port}`, address: `127.0.0.1:${port}` })
    })
  )

  it.live("takes the proxy as a socks5h URL with name and password", () =>
    Effect.gen(function* () {
      const server = yield* Program.start(["--user", "al ice:p:ss/w@rd"])
      const { url } = yield* Origin.http()
      const proxy = `socks5h://al%20ice:p%3Ass%2Fw%40rd@${server.address}`
      assert.strictEqual((yield* curl("-x", proxy, url)).stdout, Origin.page)
    })
  )

  it.live("reaches an IPv6 target through an IPv6 listener", () =>
    Effect.gen(function* () {
      const server = yield* Program.start(["--listen", "[::1]:0"])
      const { url, port, certificate } = yield* Origin.https("::1")
      const { stdout } = yield* curl("-g", "-x", `socks5://${server.address}`, "--cacert", certificate, url)
      assert.strictEqual(stdout, Origin.page)
      const session = yield* server.logged({ message: "session" })
      assert.deepInclude(session, { listener: server.address, target: `[::1]:${port}` })
    })
  )

  it.live("is refused with a wrong password, and without one", () =>
    Effect.gen(function* () {
      const server = yield* closed
      const { url, seen } = yield* Origin.http()
      const wrong = yield* curl("--socks5", server.address, "-U", "username:guess", url)
      const none = yield* curl("--socks5", server.address, url)
      assert.strictEqual(wrong.code, refusedByProxy)
      assert.match(wrong.stderr, /User was rejected by the SOCKS5 server \(1 1\)/)
      assert.strictEqual(none.code, refusedByProxy)
      assert.match(none.stderr, /No authentication method was acceptable/)
      assert.deepStrictEqual(seen, [])
      yield* server.logged({ message: "authentication failed", user: "username" })
      yield* server.logged({ outcome: "NoAcceptableMethod" })
    })
  )

  it.live("gets the reason if a target cannot be reached", () =>
    Effect.gen(function* () {
      const server = yield* open
      const refused = yield* curl("--socks5", server.address, `http://127.0.0.1:${yield* Origin.freePort}/`)
      assert.strictEqual(refused.code, refusedByProxy)
      assert.match(refused.stderr, /\(5\)/)
      const unknown = yield* curl("--socks5-hostname", server.address, "http://nope.invalid/")
      assert.strictEqual(unknown.code, refusedByProxy)
      assert.match(unknown.stderr, /\(4\)/)
      yield* server.logged({ reply: 4, target: "nope.invalid:80" })
    })
  )

  it.live("gets a page over SOCKS4, by address, and over SOCKS4a, by a name that the server resolves", () =>
    Effect.gen(function* () {
      const server = yield* open
      const { url, port } = yield* Origin.http()
      assert.strictEqual((yield* curl("--socks4", server.address, url)).stdout, Origin.page)
      yield* server.logged({ protocol: "SOCKS4", target: `127.0.0.1:${port}`, outcome: "finished" })
      const named = yield* curl("--socks4a", server.address, `http://localhost:${port}/`)
      assert.strictEqual(named.stdout, Origin.page)
      yield* server.logged({ protocol: "SOCKS4", target: `localhost:${port}`, outcome: "finished" })
    })
  )

  it.live("is refused over SOCKS4 if a password is needed, with any user id", () =>
    Effect.gen(function* () {
      const server = yield* closed
      const { url, seen } = yield* Origin.http()
      for (const user of [[], ["-U", "username:password"]]) {
        for (const version of ["--socks4", "--socks4a"]) {
          const { code, stderr } = yield* curl(version, server.address, ...user, url)
          assert.strictEqual(code, refusedByProxy)
          assert.match(stderr, /\(91\), request rejected or failed/)
        }
      }
      assert.deepStrictEqual(seen, [])
      yield* server.logged({ protocol: "SOCKS4", user: "", message: "authentication failed" })
      yield* server.logged({ protocol: "SOCKS4", user: "username", message: "authentication failed" })
    })
  )

  it.live("uses an HTTP proxy over TLS, with a client certificate, for requests and for tunnels", () =>
    Effect.gen(function* () {
      const listen = ["--listen", "tls:127.0.0.1:0", "--tls", "auto"]
      const server = yield* Program.start([...listen, ...withPassword])
      const certFile = join(yield* directory, "proxy.pem")
      writeFileSync(certFile, yield* presented(server.port))
      const { url } = yield* Origin.http()
      const { url: secureUrl, certificate: trusted } = yield* Origin.https()
      const through = (credentials: string, ...args: ReadonlyArray<string>) =>
        curl("-x", `https://${credentials}@127.0.0.1:${server.port}`, "--proxy-cacert", certFile, ...args)

      assert.strictEqual((yield* through("username:password", url)).stdout, Origin.page)
      yield* server.logged({ command: "FORWARD", user: "username", status: 200, outcome: "finished" })
      assert.strictEqual((yield* through("username:password", "-p", url)).stdout, Origin.page)
      yield* server.logged({ command: "CONNECT", user: "username", status: 200, target: url.slice(7) })
      const secure = yield* through("username:password", "--cacert", trusted, secureUrl)
      assert.strictEqual(secure.stdout, Origin.page, secure.stderr)
      yield* server.logged({ command: "CONNECT", user: "username", status: 200, target: secureUrl.slice(8) })
      assert.match((yield* through("username:guess", "-p", url)).stderr, /response 407/)
      yield* server.logged({ protocol: "HTTP", message: "authentication failed" })
    })
  )
})
