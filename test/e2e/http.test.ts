/**
 * Programs that know the proxy as an HTTP proxy.
 */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { writeFile } from "node:fs/promises"
import type { IncomingMessage, ServerResponse } from "node:http"
import { join } from "node:path"
import type { Readable, Writable } from "node:stream"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWith } from "../support/clients.ts"
import * as Origin from "../support/origin.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import * as Temporary from "../support/temporary.ts"

const size = 20_000_000

/** Answers an upload with its size and digest, `/big` with as many zeros, `/chunked` in two chunks. */
const answer = (request: IncomingMessage, response: ServerResponse) => {
  if (request.url === "/big") {
    response.writeHead(200, { "content-length": size })
    createReadStream("/dev/zero", { end: size - 1 }).pipe(response)
  } else if (request.url === "/chunked") {
    response.write("one, ")
    response.end("two")
  } else if (request.method === "GET") {
    response.end(request.headers["proxy-authorization"] ?? Origin.page)
  } else {
    const hash = createHash("sha1")
    let length = 0
    request.on("data", (chunk: Buffer) => {
      length += chunk.length
      hash.update(chunk)
    })
    request.on("end", () => response.end(`${length} ${hash.digest("hex")}`))
  }
}

/** Asks for the password of alice. */
const program = Program.forFile(["--user", "alice:secret", "--log-level", "debug"])

const curl = (server: Program.Program, ...args: ReadonlyArray<string>) =>
  Processes.run("curl", [
    ...["-sS", "--max-time", "10", "-x", `http://alice:secret@${server.address}`],
    ...args
  ])

describeWith(["curl"], () => {
  it.live("gets several pages on one connection", () =>
    Effect.gen(function* () {
      const server = yield* program
      const { url, seen } = yield* Origin.http(answer)
      const { stdout, stderr } = yield* curl(server, "-v", `${url}/a`, `${url}/b`, `${url}/chunked`)
      assert.strictEqual(stdout, `${Origin.page}${Origin.page}one, two`)
      assert.strictEqual(stderr.match(/Re-using existing connection/g)?.length, 2)
      assert.deepStrictEqual(seen, ["/a", "/b", "/chunked"])
      yield* server.logged({ protocol: "HTTP", command: "FORWARD", user: "alice", status: 200 })
    })
  )

  it.live("gets a page through a tunnel, with TLS and without", () =>
    Effect.gen(function* () {
      const server = yield* program
      const { url, certificate } = yield* Origin.https()
      const { url: plain } = yield* Origin.http(answer)
      assert.strictEqual((yield* curl(server, "--cacert", certificate, url)).stdout, Origin.page)
      assert.strictEqual((yield* curl(server, "--proxytunnel", plain)).stdout, Origin.page)
      yield* server.logged({ protocol: "HTTP", command: "CONNECT", user: "alice", status: 200 })
    })
  )

  it.live("gets large bodies whole, of a known length and in chunks", () =>
    Effect.gen(function* () {
      const server = yield* program
      const { url } = yield* Origin.http(answer)
      const file = join(yield* Temporary.directory, "body")
      const body = Buffer.alloc(size, "0123456789")
      yield* Effect.promise(() => writeFile(file, body))
      const expected = `${size} ${createHash("sha1").update(body).digest("hex")}`
      assert.strictEqual((yield* curl(server, "-T", file, `${url}/up`)).stdout, expected)
      const inChunks = ["-H", "Transfer-Encoding: chunked", "-H", "Expect:", "--data-binary", `@${file}`]
      assert.strictEqual((yield* curl(server, ...inChunks, `${url}/up`)).stdout, expected)
      const down = yield* curl(server, "-o", "/dev/null", "-w", "%{size_download}", `${url}/big`)
      assert.strictEqual(down.stdout, String(size))
    })
  )

  it.live("gets a request for a password, and sends it on the same connection", () =>
    Effect.gen(function* () {
      const server = yield* program
      const { url } = yield* Origin.http(answer)
      const { stdout, stderr } = yield* curl(server, "-v", "--proxy-anyauth", url)
      assert.strictEqual(stdout, Origin.page)
      assert.match(stderr, /< HTTP\/1\.1 407 /)
      assert.match(stderr, /Re-using existing connection/)
      const wrong = yield* curl(server, "-x", `http://alice:guess@${server.address}`, url)
      assert.strictEqual(wrong.stdout, "effect-socks: authentication failed\n")
      yield* server.logged({ message: "authentication failed", user: "alice", protocol: "HTTP" })
    })
  )

  it.live("gets the reason if a target cannot be reached, and an error if a response is incomplete", () =>
    Effect.gen(function* () {
      const server = yield* program
      const refused = yield* curl(server, `http://127.0.0.1:${yield* Origin.freePort}/`)
      assert.strictEqual(refused.stdout, "effect-socks: connection refused\n")
      // Neither a length nor chunks: only the reset tells.
      const { url } = yield* Origin.http(({ socket }) => {
        socket.write("HTTP/1.0 200 OK\r\n\r\nhalf of it", () => socket.resetAndDestroy())
      })
      const { code } = yield* curl(server, "--http1.0", url)
      // "Failure with receiving network data."
      assert.strictEqual(code, 56)
      yield* server.logged({ command: "FORWARD", outcome: "target reset" })
    })
  )

  it.live("shows a page if the server is opened like a site", () =>
    Effect.gen(function* () {
      const server = yield* program
      const { stdout } = yield* Processes.run("curl", ["-sS", "-i", `http://${server.address}/<b>`])
      assert.match(stdout, /^HTTP\/1\.1 400 [\s\S]*This is a proxy server/)
      assert.notInclude(stdout, "<b>")
    })
  )
})

describeWith(["git"], () => {
  it.live("clones a repository", () =>
    Effect.gen(function* () {
      const server = yield* program
      const directory = yield* Temporary.directory
      const env = {
        HOME: directory,
        GIT_CONFIG_NOSYSTEM: "1",
        GIT_AUTHOR_NAME: "a",
        GIT_AUTHOR_EMAIL: "a@example.com",
        GIT_COMMITTER_NAME: "a",
        GIT_COMMITTER_EMAIL: "a@example.com"
      }
      const git = (...args: ReadonlyArray<string>) => Processes.run("git", args, { cwd: directory, env })
      yield* git("init", "-q", "-b", "main", "work")
      yield* git("-C", "work", "commit", "-q", "--allow-empty", "-m", "The only commit")
      yield* git("clone", "-q", "--bare", "work", "bare.git")
      yield* git("-C", "bare.git", "update-server-info")
      const { port } = yield* Origin.http((request, response) => {
        createReadStream(join(directory, new URL(request.url ?? "", "http://localhost").pathname))
          .on("error", () => response.writeHead(404).end())
          .pipe(response)
      })
      const proxy = `http.proxy=http://alice:secret@${server.address}`
      const { code, stderr } = yield* git("-c", proxy, "clone", `http://localhost:${port}/bare.git`, "clone")
      assert.strictEqual(code, 0, stderr)
      assert.include((yield* git("-C", "clone", "log")).stdout, "The only commit")
      yield* server.logged({ protocol: "HTTP", user: "alice", target: `localhost:${port}` })
    })
  )
})

describeWith(["default-jdk-headless"], () => {
  const source = `
import java.net.*;
class Get {
  public static void main(String[] args) throws Exception {
    var address = new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0]));
    Authenticator.setDefault(new Authenticator() {
      protected PasswordAuthentication getPasswordAuthentication() {
        return new PasswordAuthentication("alice", "secret".toCharArray());
      }
    });
    for (var type : new Proxy.Type[] { Proxy.Type.HTTP, Proxy.Type.SOCKS }) {
      var connection = (HttpURLConnection) new URL(args[1]).openConnection(new Proxy(type, address));
      connection.setDoOutput(true);
      connection.getOutputStream().write("hello".getBytes());
      System.out.println(type + " " + new String(connection.getInputStream().readAllBytes()));
    }
  }
}`

  it.live("posts through both kinds of proxy, after a request for a password", () =>
    Effect.gen(function* () {
      const server = yield* program
      const { url } = yield* Origin.http(answer)
      const file = join(yield* Temporary.directory, "Get.java")
      yield* Effect.promise(() => writeFile(file, source))
      const { stdout, stderr } = yield* Processes.run("java", [file, String(server.port), `${url}/`])
      const expected = "5 aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"
      assert.strictEqual(stdout, `HTTP ${expected}\nSOCKS ${expected}\n`, stderr)
      yield* server.logged({ protocol: "HTTP", outcome: "NoAcceptableMethod", status: 407 })
      yield* server.logged({ protocol: "HTTP", user: "alice", status: 200 })
      yield* server.logged({ protocol: "SOCKS5", user: "alice" })
    })
  )
})

const page = `<!doctype html><title>page</title><script>fetch("/data")</script>`

const site = Origin.http((request, response) => {
  response.setHeader("content-type", "text/html").end(request.url === "/data" ? "data" : page)
})

describeWith(["chromium"], () => {
  it.live("logs in, for requests and for tunnels", () =>
    Effect.gen(function* () {
      const server = yield* program
      const plain = yield* site
      const secure = yield* Origin.https()
      const browser = yield* chromium(server, yield* Temporary.directory)
      yield* browser.open(`${plain.url}/`)
      yield* plain.asked("/data")
      yield* browser.open(`${secure.url}/`)
      yield* secure.asked("/")
      yield* server.logged({ protocol: "HTTP", outcome: "NoAcceptableMethod", status: 407 })
      yield* server.logged({ command: "FORWARD", user: "alice", status: 200 })
    })
  )
})

/** Driven through its pipe, where it asks for the password that its window would ask for. */
const chromium = Effect.fnUntraced(function* (server: Program.Program, profile: string) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(
        "chromium",
        [
          ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
          ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
          ...["--ignore-certificate-errors", "--proxy-bypass-list=<-loopback>"],
          ...[`--proxy-server=http://${server.address}`, `--user-data-dir=${profile}`],
          "--remote-debugging-pipe"
        ],
        { detached: true, stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] }
      )
    ),
    // With all the processes that it has started.
    ({ pid }) => Effect.sync(() => pid !== undefined && process.kill(-pid, "SIGKILL"))
  )
  const [input, output] = [child.stdio[3] as Writable, child.stdio[4] as Readable]
  // Both break when it is killed.
  for (const pipe of [input, output]) pipe.on("error", () => {})
  const waiting = new Map<number, (result: Record<string, string>) => void>()
  let session: string | undefined
  let count = 0
  const send = (method: string, params: object) =>
    input.write(`${JSON.stringify({ id: ++count, sessionId: session, method, params })}\0`)
  const call = (method: string, params: object = {}) =>
    Effect.callback<Record<string, string>>((resume) => {
      send(method, params)
      waiting.set(count, (result) => resume(Effect.succeed(result)))
    })
  const events: Readonly<Record<string, (requestId: string) => unknown>> = {
    "Fetch.requestPaused": (requestId) => send("Fetch.continueRequest", { requestId }),
    "Fetch.authRequired": (requestId) =>
      send("Fetch.continueWithAuth", {
        requestId,
        authChallengeResponse: { response: "ProvideCredentials", username: "alice", password: "secret" }
      })
  }
  let text = ""
  output.setEncoding("utf8").on("data", (chunk: string) => {
    const messages = (text + chunk).split("\0")
    text = messages.pop()!
    for (const { id, result, method, params } of messages.map((message) => JSON.parse(message))) {
      waiting.get(id)?.(result)
      events[method]?.(params.requestId)
    }
  })
  const { targetId } = yield* call("Target.createTarget", { url: "about:blank" })
  const { sessionId } = yield* call("Target.attachToTarget", { targetId, flatten: true })
  session = sessionId
  yield* call("Fetch.enable", { handleAuthRequests: true })
  return { open: (url: string) => call("Page.navigate", { url }) }
})
