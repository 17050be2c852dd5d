/**
 * curl, the client most people try first.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWith } from "../support/clients.ts"
import * as Origin from "../support/origin.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"

const curl = (...args: ReadonlyArray<string>) => Processes.run("curl", ["-sS", "--max-time", "10", ...args])

const withPassword = ["--user", "username:password"]

// curl's exit code for a proxy that said no.
const refusedByProxy = 97

describeWith(["curl"], () => {
  it.live("gets a page with --socks5 and a password, from the port that everyone tries", () =>
    Effect.gen(function* () {
      const server = yield* Program.start(["--listen", "127.0.0.1:9011", ...withPassword])
      const { url, certificate } = yield* Origin.https()
      const { code, stdout, stderr } = yield* Processes.run("curl", [
        ...["-v", "--socks5", "127.0.0.1:9011", "-U", "username:password", "--cacert", certificate, url]
      ])
      assert.strictEqual(code, 0, stderr)
      assert.strictEqual(stdout, Origin.page)
      const session = yield* server.logged({ message: "session" })
      assert.deepInclude(session, { user: "username", outcome: "finished", reply: 0 })
    })
  )

  it.live("has the server resolve a name with --socks5-hostname", () =>
    Effect.gen(function* () {
      const server = yield* Program.start()
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

  it.live("is turned away with a wrong password, and without one", () =>
    Effect.gen(function* () {
      const server = yield* Program.start(withPassword)
      const { url, seen } = yield* Origin.http()
      const wrong = yield* curl("--socks5", server.address, "-U", "username:guess", url)
      const none = yield* curl("--socks5", server.address, url)
      assert.strictEqual(wrong.code, refusedByProxy)
      assert.match(wrong.stderr, /User was rejected by the SOCKS5 server \(1 1\)/)
      assert.strictEqual(none.code, refusedByProxy)
      assert.match(none.stderr, /No authentication method was acceptable/)
      assert.deepStrictEqual(seen, [])
      yield* server.logged({ outcome: "AuthenticationFailed", user: "username" })
      yield* server.logged({ outcome: "NoAcceptableMethod" })
    })
  )

  it.live("is told why a target cannot be reached", () =>
    Effect.gen(function* () {
      const server = yield* Program.start()
      const refused = yield* curl("--socks5", server.address, `http://127.0.0.1:${yield* Origin.freePort}/`)
      assert.strictEqual(refused.code, refusedByProxy)
      assert.match(refused.stderr, /\(5\)/)
      const unknown = yield* curl("--socks5-hostname", server.address, "http://nope.invalid/")
      assert.strictEqual(unknown.code, refusedByProxy)
      assert.match(unknown.stderr, /\(4\)/)
      yield* server.logged({ reply: 4, target: "nope.invalid:80" })
    })
  )
})
