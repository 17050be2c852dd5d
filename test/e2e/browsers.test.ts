/**
 * Browsers, headless and with a new profile: each loads a page whose script
 * fetches another.
 */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWith } from "../support/clients.ts"
import * as DevTools from "../support/devtools.ts"
import * as Marionette from "../support/marionette.ts"
import * as Origin from "../support/origin.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import * as Temporary from "../support/temporary.ts"

/** The page says so when its script has run. */
const site = Origin.http((request, response) => {
  response.setHeader("content-type", request.url === "/data" ? "text/plain" : "text/html")
  response.end(request.url === "/data" ? "through the proxy" : page)
})

const page = `<!doctype html><title>page</title><p id="p"></p><script>
fetch("/data").then((response) => response.text()).then((text) => { document.getElementById("p").textContent = text })
</script>`

/** Browsers ask for pages of their makers, too. A name that is denied is not resolved. */
const toLocalhost = ["--config", new URL("../support/localhost.yaml", import.meta.url).pathname]

const open = Program.forFile([...toLocalhost, "--listen", "127.0.0.1:0"])

/** Has Chromium load a page by this proxy. */
const visit = Effect.fnUntraced(function* (address: string, url: string) {
  const profile = yield* Temporary.directory
  const { code, stdout, stderr } = yield* Processes.run("chromium", [
    ...[
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      `--user-data-dir=${profile}`
    ],
    // It is to load the page and nothing else.
    ...["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    ...[`--proxy-server=socks5://${address}`, "--proxy-bypass-list=<-loopback>"],
    ...["--virtual-time-budget=5000", "--dump-dom", url]
  ])
  assert.strictEqual(code, 0, stderr)
  assert.include(stdout, '<p id="p">through the proxy</p>')
})

/** A server that asks for no password, in front of one that wants a password. */
const door = Effect.fnUntraced(function* (kind: "socks5" | "http") {
  const upstream = yield* Program.start(["--user", "alice:secret"])
  const env = { SOCKS_UPSTREAM: `${kind}://alice:secret@${upstream.address}` }
  return { upstream, server: yield* Program.start([...toLocalhost, "--listen", "127.0.0.1:0"], { env }) }
})

describeWith(["chromium"], () => {
  it.live("loads a page, by a name that the server resolves", () =>
    Effect.gen(function* () {
      const server = yield* open
      const { port, seen } = yield* site
      yield* visit(server.address, `http://localhost:${port}/`)
      assert.includeMembers([...seen], ["/", "/data"])
      yield* server.logged({ message: "session", target: `localhost:${port}`, reply: 0 })
    })
  )

  it.live("loads a page through an upstream with a password, and is asked for none", () =>
    Effect.gen(function* () {
      const { upstream, server } = yield* door("socks5")
      const { port, seen } = yield* site
      yield* visit(server.address, `http://localhost:${port}/`)
      assert.includeMembers([...seen], ["/", "/data"])
      yield* server.logged({ message: "session", target: `localhost:${port}`, route: "upstream" })
      yield* upstream.logged({ message: "session", user: "alice", target: `127.0.0.1:${port}` })
    })
  )
})

/** Names are the server's alone, so that the browser cannot find the sites by itself. */
const withPac = Program.forFile([
  ...["--pac", "rules", "--config", new URL("../support/pac.yaml", import.meta.url).pathname],
  ...["--static-hosts", "proxied.test=127.0.0.1,direct.test=127.0.0.1", "--listen", "127.0.0.1:0"]
])

describeWith(["chromium"], () => {
  it.live("fetches the proxy auto-config file, and goes by it", () =>
    Effect.gen(function* () {
      const server = yield* withPac
      const { port, seen } = yield* site
      const visitSite = Effect.fnUntraced(function* (host: string) {
        const profile = yield* Temporary.directory
        return yield* Processes.run("chromium", [
          ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
          ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
          ...[`--user-data-dir=${profile}`, `--proxy-pac-url=http://${server.address}/proxy.pac`],
          // Without the proxy a name leads to a port where nobody listens, and not beyond this machine.
          "--host-resolver-rules=MAP *.test 127.0.0.1:1",
          ...["--virtual-time-budget=5000", "--dump-dom", `http://${host}:${port}/`]
        ])
      })
      const { stdout, stderr } = yield* visitSite("proxied.test")
      assert.include(stdout, '<p id="p">through the proxy</p>', stderr)
      assert.includeMembers([...seen], ["/", "/data"])
      yield* server.logged({ message: "session", target: `proxied.test:${port}` })
      const count = seen.length
      assert.notInclude((yield* visitSite("direct.test")).stdout, "through the proxy")
      assert.lengthOf(seen, count)
    })
  )
})

/** A page that uploads five megabytes, of a site that notes by which version of HTTP it was asked. */
const uploads = Effect.gen(function* () {
  const hops: Array<string> = []
  const origin = yield* Origin.http((request, response) => {
    hops.push(String(request.headers.via).split(" ")[0]!)
    if (request.method === "GET") return void response.setHeader("content-type", "text/html").end(uploading)
    let size = 0
    request.on("data", (chunk: Buffer) => {
      size += chunk.length
    })
    request.on("end", () => response.end(String(size)))
  })
  return { ...origin, hops }
})

const uploading = `<!doctype html><title>page</title><script>
fetch("/upload", { method: "POST", body: new Uint8Array(5_000_000) })
  .then((response) => response.text())
  .then((size) => fetch("/size/" + size, { method: "POST" }))
</script>`

const withTls = Program.forFile([
  ...["--listen", "tls:127.0.0.1:0", "--tls", "auto", "--user", "alice:secret", "--private-targets", "allow"],
  ...["--log-level", "debug", ...toLocalhost]
])

describeWith(["chromium"], () => {
  it.live("speaks HTTP/2 to a proxy over TLS that asks for a password, and uploads", () =>
    Effect.gen(function* () {
      const server = yield* withTls
      const { port, asked, hops } = yield* uploads
      const profile = yield* Temporary.directory
      const flags = [
        ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
        ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
        ...[`--user-data-dir=${profile}`, "--ignore-certificate-errors", "--proxy-bypass-list=<-loopback>"],
        `--proxy-server=https://127.0.0.1:${server.port}`
      ]
      yield* Effect.scoped(
        Effect.andThen(
          DevTools.open(flags, `http://localhost:${port}/`, "alice", "secret"),
          asked("/size/5000000")
        )
      )
      assert.deepStrictEqual([...new Set(hops)], ["2"])
      yield* server.logged({ outcome: "NoAcceptableMethod", status: 407 })
      yield* server.logged({ command: "FORWARD", user: "alice", target: `localhost:${port}`, status: 200 })
    })
  )
})

const socks = (port: number) => ({
  "network.proxy.socks": "127.0.0.1",
  "network.proxy.socks_port": port,
  "network.proxy.socks_version": 5,
  "network.proxy.socks_remote_dns": true
})

const http = (port: number) => ({
  "network.proxy.http": "127.0.0.1",
  "network.proxy.http_port": port
})

/**
 * By a proxy over TLS, whose certificate the control of Firefox accepts. What Firefox asks for by itself goes nowhere, as
 * its dialog for a password would come before that of the page.
 */
const https = (port: number) => ({
  "network.proxy.type": 2,
  "network.proxy.autoconfig_url": `data:application/x-ns-proxy-autoconfig,${encodeURIComponent(
    `function FindProxyForURL(_, host) { return host == "localhost" ? "HTTPS 127.0.0.1:${port}" : "PROXY 127.0.0.1:1" }`
  )}`
})

describeWith(["firefox-esr"], () => {
  it.live("speaks HTTP/2 to a proxy over TLS that asks for a password, and uploads", () =>
    Effect.gen(function* () {
      const server = yield* withTls
      const { port, asked, hops } = yield* uploads
      const profile = yield* Temporary.directory
      const settings = preferences(Marionette.preferences) + userPreferences(https(server.port))
      yield* Effect.promise(() => writeFile(join(profile, "user.js"), settings))
      const firefox = ["--headless", "--no-remote", ...Marionette.flags, "--profile", profile]
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Processes.start("firefox-esr", firefox)
          const command = yield* Marionette.control(profile)
          yield* answering(command)
          yield* command("WebDriver:Navigate", { url: `http://localhost:${port}/` })
          yield* asked("/size/5000000")
        })
      )
      assert.deepStrictEqual([...new Set(hops)], ["2"])
      yield* server.logged({ outcome: "NoAcceptableMethod", status: 407 })
      yield* server.logged({ command: "FORWARD", user: "alice", target: `localhost:${port}`, status: 200 })
    })
  )

  it.live.each([
    ["SOCKS5", "CONNECT", socks],
    ["HTTP", "FORWARD", http]
  ] as const)("loads a page over %s, by a name that the server resolves", ([protocol, command, proxy]) =>
    Effect.gen(function* () {
      const server = yield* open
      const { port, asked } = yield* site
      const profile = yield* Temporary.directory
      yield* Effect.promise(() => writeFile(join(profile, "user.js"), preferences(proxy(server.port))))
      const firefox = ["--headless", "--no-remote", "--profile", profile, `http://localhost:${port}/`]
      yield* Effect.scoped(Effect.andThen(Processes.start("firefox-esr", firefox), asked("/data")))
      yield* server.logged({ protocol, command, target: `localhost:${port}` })
    })
  )

  it.live("loads a page through an upstream of HTTP with a password, and is asked for none", () =>
    Effect.gen(function* () {
      const { upstream, server } = yield* door("http")
      const { port, asked } = yield* site
      const profile = yield* Temporary.directory
      yield* Effect.promise(() => writeFile(join(profile, "user.js"), preferences(http(server.port))))
      const firefox = ["--headless", "--no-remote", "--profile", profile, `http://localhost:${port}/`]
      yield* Effect.scoped(Effect.andThen(Processes.start("firefox-esr", firefox), asked("/data")))
      yield* server.logged({ command: "FORWARD", target: `localhost:${port}`, status: 200 })
      yield* upstream.logged({ message: "session", user: "alice", target: `127.0.0.1:${port}` })
    })
  )

  it.live("loads a page over HTTP with the password that its user gives when asked", () =>
    Effect.gen(function* () {
      const server = yield* Program.start([
        ...toLocalhost,
        ...["--listen", "127.0.0.1:0", "--user", "alice:secret", "--log-level", "debug"]
      ])
      const { port, asked, seen } = yield* site
      const profile = yield* Temporary.directory
      const settings = { ...http(server.port), ...Marionette.preferences }
      yield* Effect.promise(() => writeFile(join(profile, "user.js"), preferences(settings)))
      const firefox = ["--headless", "--no-remote", ...Marionette.flags, "--profile", profile]
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Processes.start("firefox-esr", firefox)
          const command = yield* Marionette.control(profile)
          yield* answering(command)
          yield* command("WebDriver:Navigate", { url: `http://localhost:${port}/` })
          yield* asked("/data")
        })
      )
      yield* server.logged({ protocol: "HTTP", outcome: "NoAcceptableMethod", status: 407 })
      yield* server.logged({ command: "FORWARD", user: "alice", target: `localhost:${port}`, status: 200 })
      assert.deepStrictEqual(
        seen.filter((path) => path === "/"),
        ["/"]
      )
    })
  )
})

/** Gives Firefox the password when it asks its user. */
const answering = Effect.fnUntraced(function* (command: Marionette.Command) {
  yield* command("Marionette:SetContext", { value: "chrome" })
  yield* command("WebDriver:ExecuteScript", { script: answerDialog, args: ["alice", "secret"] })
  yield* command("Marionette:SetContext", { value: "content" })
})

/** Fills in the first dialog that Firefox opens, and accepts it. */
const answerDialog = `
const [name, password] = arguments
const answer = ({ document }) => {
  Services.obs.removeObserver(answer, "common-dialog-loaded")
  document.getElementById("loginTextbox").value = name
  document.getElementById("password1Textbox").value = password
  document.getElementById("commonDialog").acceptDialog()
}
Services.obs.addObserver(answer, "common-dialog-loaded")`

const preferences = (proxy: object) =>
  userPreferences({
    ...proxy,
    "network.proxy.type": 1,
    "network.proxy.allow_hijacking_localhost": true,
    // It is to load the page and nothing else.
    "app.normandy.enabled": false,
    "app.update.enabled": false,
    "browser.aboutwelcome.enabled": false,
    "browser.region.network.url": "",
    "browser.safebrowsing.downloads.remote.enabled": false,
    "browser.search.update": false,
    "browser.shell.checkDefaultBrowser": false,
    "datareporting.policy.dataSubmissionEnabled": false,
    "dom.push.enabled": false,
    "extensions.getAddons.cache.enabled": false,
    "extensions.update.enabled": false,
    "network.captive-portal-service.enabled": false,
    "network.connectivity-service.enabled": false,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": false
  })

const userPreferences = (preferences: object) =>
  Object.entries(preferences)
    .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`)
    .join("")
