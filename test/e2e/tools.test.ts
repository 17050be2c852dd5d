/**
 * git, Python programs and ncat.
 */
import { createReadStream } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWith, python } from "../support/clients.ts"
import * as Origin from "../support/origin.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import * as Temporary from "../support/temporary.ts"

const open = Program.forFile()

const closed = Program.forFile(["--user", "username:password"])

describeWith(["git"], () => {
  it.live("clones a repository over HTTP", () =>
    Effect.gen(function* () {
      const server = yield* closed
      const directory = yield* Temporary.directory
      const git = (...args: ReadonlyArray<string>) =>
        Processes.run("git", args, { cwd: directory, env: { ...plain, HOME: directory } })
      yield* git("init", "-q", "-b", "main", "work")
      yield* git("-C", "work", "commit", "-q", "--allow-empty", "-m", "The only commit")
      yield* git("clone", "-q", "--bare", "work", "bare.git")
      yield* git("-C", "bare.git", "update-server-info")
      const { port } = yield* Origin.http((request, response) => {
        const path = join(directory, new URL(request.url ?? "", "http://localhost").pathname)
        createReadStream(path)
          .on("error", () => response.writeHead(404).end())
          .pipe(response)
      })

      const proxy = `http.proxy=socks5h://username:password@${server.address}`
      const { code, stderr } = yield* git("-c", proxy, "clone", `http://localhost:${port}/bare.git`, "clone")
      assert.strictEqual(code, 0, stderr)
      assert.include((yield* git("-C", "clone", "log")).stdout, "The only commit")
      yield* server.logged({ message: "session", user: "username", target: `localhost:${port}` })
    })
  )

  // Nothing of the one who runs the tests.
  const plain = {
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "a",
    GIT_AUTHOR_EMAIL: "a@example.com",
    GIT_COMMITTER_NAME: "a",
    GIT_COMMITTER_EMAIL: "a@example.com"
  }
})

describeWith(["python3-socks"], () => {
  /** Prints the page, or the error. */
  const script = `
import socks, sys, urllib.request
_, proxy_port, port, *credentials = sys.argv
s = socks.socksocket()
s.set_proxy(socks.SOCKS5, "127.0.0.1", int(proxy_port), True, *credentials)
try:
    s.connect(("localhost", int(port)))
    s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    print(b"".join(iter(lambda: s.recv(4096), b"")).decode())
except socks.ProxyError as error:
    print(error)
`
  const get = (server: Program.Program, port: number, ...credentials: ReadonlyArray<string>) =>
    Effect.map(
      Processes.run(python, ["-c", script, String(server.port), String(port), ...credentials]),
      ({ stdout, stderr }) => stdout + stderr
    )

  it.live("gets a page without a password, if none is needed", () =>
    Effect.gen(function* () {
      const server = yield* open
      const { port } = yield* Origin.http()
      assert.include(yield* get(server, port), Origin.page)
      // It offers a password, and none: the server is content with none.
      assert.include(yield* get(server, port, "username", "password"), Origin.page)
      assert.match(yield* get(server, yield* Origin.freePort), /0x05: Connection refused/)
    })
  )

  it.live("gets a page with a password, and an error with a wrong one", () =>
    Effect.gen(function* () {
      const server = yield* closed
      const { port } = yield* Origin.http()
      assert.include(yield* get(server, port, "username", "password"), Origin.page)
      assert.match(yield* get(server, port, "username", "guess"), /SOCKS5 authentication failed/)
      assert.match(yield* get(server, port), /authentication methods were rejected/)
    })
  )
})

describeWith(["ncat"], () => {
  /** What comes back from a page's address through a proxy of this type. */
  const get = (server: Program.Program, type: string, port: number, ...auth: ReadonlyArray<string>) => {
    const proxied = `ncat --proxy ${server.address} --proxy-type ${type} ${auth.join(" ")} 127.0.0.1 ${port}`
    return Processes.run("sh", ["-c", `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | ${proxied}`])
  }

  it.live("reaches a target over SOCKS4, SOCKS5 and HTTP", () =>
    Effect.gen(function* () {
      const server = yield* open
      const { port } = yield* Origin.http()
      for (const type of ["socks4", "socks5", "http"]) {
        const { stdout, stderr } = yield* get(server, type, port)
        assert.include(stdout, Origin.page, stderr)
        yield* server.logged({ protocol: type.toUpperCase(), command: "CONNECT", outcome: "finished" })
      }
    })
  )

  it.live("is let in with a password, and not with a wrong one or over SOCKS4", () =>
    Effect.gen(function* () {
      const server = yield* closed
      const { port, seen } = yield* Origin.http()
      for (const type of ["socks5", "http"]) {
        const right = yield* get(server, type, port, "--proxy-auth", "username:password")
        assert.include(right.stdout, Origin.page, right.stderr)
        assert.strictEqual((yield* get(server, type, port, "--proxy-auth", "username:guess")).stdout, "")
      }
      assert.strictEqual((yield* get(server, "socks4", port, "--proxy-auth", "username")).stdout, "")
      assert.strictEqual(seen.length, 2)
    })
  )
})
