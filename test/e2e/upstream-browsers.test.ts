/**
 * Tools that drive a browser, each with its own way of passing a proxy, as the documentation shows them. The proxy is a
 * server in front of upstreams that want a password.
 */
import { readFileSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { chromium, type LaunchOptions } from "playwright-core"
import { describeWith } from "../support/clients.ts"
import * as DevTools from "../support/devtools.ts"
import * as Origin from "../support/origin.ts"
import * as Program from "../support/program.ts"
import { directory } from "../support/temporary.ts"

const page = readFileSync(new URL("../../docs/routes.md", import.meta.url), "utf8")

/** The argument of this call in the documentation, for a server on this port. */
const shown = (call: string, port: number) => {
  const [, text] = new RegExp(`${call.replace(".", "\\.")}\\((\\{[\\s\\S]*?\\})\\)\n`).exec(page) ?? []
  return new Function(`return ${String(text).replace("127.0.0.1:1080", `127.0.0.1:${port}`)}`)()
}

/** The browser is to load the page and nothing else. */
const flags = [
  ...["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-quic"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"]
]

/** What puppeteer adds by itself, with a pipe to control the browser. Its package is larger than all others here together. */
const ofPuppeteer = [
  ...["--allow-pre-commit-input", "--disable-background-timer-throttling", "--disable-breakpad"],
  ...["--disable-backgrounding-occluded-windows", "--disable-component-extensions-with-background-pages"],
  ...["--disable-default-apps", "--disable-extensions", "--disable-hang-monitor", "--disable-infobars"],
  ...["--disable-ipc-flooding-protection", "--disable-popup-blocking", "--disable-prompt-on-repost"],
  ...["--disable-renderer-backgrounding", "--disable-search-engine-choice-screen", "--enable-automation"],
  ...[
    "--force-color-profile=srgb",
    "--metrics-recording-only",
    "--password-store=basic",
    "--use-mock-keychain"
  ],
  ...["--headless=new", "--hide-scrollbars", "--mute-audio"]
]
const executablePath = "/usr/bin/chromium"

/** The servers reach this machine only, and ask for no other name, whatever else a browser wants by itself. */
const localhost = ["--config", new URL("../support/localhost.yaml", import.meta.url).pathname]

const upstream = Program.start(["--listen", "127.0.0.1:0", "--user", "alice:secret", ...localhost])

describeWith(["chromium"], () => {
  it.live("Playwright loads a page through an upstream with a password", () =>
    Effect.gen(function* () {
      const { address, logged } = yield* upstream
      const env = { SOCKS_UPSTREAM: `socks5h://alice:secret@${address}` }
      const server = yield* Program.start(["--listen", "127.0.0.1:0", ...localhost], { env })
      const origin = yield* Origin.http()
      const options: LaunchOptions = shown("chromium.launch", server.port)
      assert.deepStrictEqual(options, { proxy: { server: `socks5://127.0.0.1:${server.port}` } })
      // Its sessions end with the browser.
      const text = yield* Effect.promise(async () => {
        const browser = await chromium.launch({ executablePath, args: flags, ...options })
        try {
          const page = await browser.newPage()
          await page.goto(`http://localhost:${origin.port}/`)
          return await page.textContent("p")
        } finally {
          await browser.close()
        }
      })
      assert.strictEqual(text, "it works")
      yield* server.logged({ message: "session", target: `localhost:${origin.port}`, route: "upstream" })
      yield* logged({ message: "session", user: "alice", target: `localhost:${origin.port}` })
    })
  )

  it.live(
    "Chromium loads a page through an upstream with a password, launched as puppeteer launches it",
    () =>
      Effect.gen(function* () {
        const { address, logged } = yield* upstream
        const env = { SOCKS_UPSTREAM: `socks5h://alice:secret@${address}` }
        const server = yield* Program.start(["--listen", "127.0.0.1:0", ...localhost], { env })
        const origin = yield* Origin.http((_, response) => {
          response.setHeader("content-type", "text/html").end(`<script>fetch("/data")</script>`)
        })
        const { args } = shown("puppeteer.launch", server.port) as { readonly args: ReadonlyArray<string> }
        assert.deepStrictEqual(args, [`--proxy-server=socks5://127.0.0.1:${server.port}`])
        const profile = yield* directory
        // Chromium takes no proxy for this machine by itself.
        const own = [`--user-data-dir=${profile}`, "--proxy-bypass-list=<-loopback>"]
        const url = `http://localhost:${origin.port}/`
        yield* Effect.scoped(
          Effect.andThen(
            DevTools.open([...ofPuppeteer, ...flags, ...own, ...args], url, "", ""),
            origin.asked("/data")
          )
        )
        yield* server.logged({ message: "session", target: `localhost:${origin.port}`, route: "upstream" })
        yield* logged({ message: "session", user: "alice", target: `localhost:${origin.port}` })
      })
  )

  it.live("Playwright logs in with parameters, so that each context keeps a member of a pool", () =>
    Effect.gen(function* () {
      const members = yield* Effect.all([upstream, upstream, upstream], { concurrency: 3 })
      const config = {
        ...{ listen: "127.0.0.1:0", users: ["alice:secret"], "user-parameters": ["session"] },
        routes: [
          {
            name: "rotating",
            members: members.map(({ address }, i) => ({
              name: `m${i}`,
              via: `http://alice:secret@${address}?names=upstream`
            })),
            ...{ choose: "sticky", "sticky-by": "session" }
          }
        ],
        rules: [{ allow: true, to: "localhost", route: "rotating" }]
      }
      const file = join(yield* directory, "config.json")
      yield* Effect.promise(() => writeFile(file, JSON.stringify(config)))
      const server = yield* Program.start(["--config", file])
      const origin = yield* Origin.http()
      const browser = yield* Effect.acquireRelease(
        Effect.promise(() => chromium.launch({ executablePath, args: flags })),
        (browser) => Effect.promise(() => browser.close())
      )
      const options = shown("browser.newContext", server.port)
      for (const session of ["alice-session-42", "alice-session-43", "alice-session-42"]) {
        const text = yield* Effect.promise(async () => {
          const context = await browser.newContext({ proxy: { ...options.proxy, username: session } })
          const page = await context.newPage()
          await page.goto(`http://localhost:${origin.port}/`)
          const text = await page.textContent("p")
          await context.close()
          return text
        })
        assert.strictEqual(text, "it works")
      }
      assert.strictEqual(options.proxy.username, "alice-session-42")
      const target = `localhost:${origin.port}`
      yield* server.logged({ message: "session", user: "alice", target, status: 200 }, 3)
      const used = server
        .lines()
        .filter((line) => line.message === "session" && line.target === target && line.status === 200)
        .map(({ parameters, member }) => `${JSON.stringify(parameters)} ${member}`)
      // One member for each of the two.
      assert.strictEqual(new Set(used).size, 2)
    })
  )
})
