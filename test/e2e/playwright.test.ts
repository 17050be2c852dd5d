/**
 * Chromium by Playwright's own option `proxy`, with name and password: a page uploads five megabytes through a proxy with
 * TLS and without.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Browser, chromium, type LaunchOptions } from "playwright-core"
import { describeWith } from "../support/clients.ts"
import * as Program from "../support/program.ts"
import * as Temporary from "../support/temporary.ts"
import * as Uploads from "../support/uploads.ts"

const { megabytes } = Uploads

const localhost = new URL("../support/localhost.yaml", import.meta.url).pathname

/** Nothing is fetched but the pages. */
const flags = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync", "--ignore-certificate-errors"]
]

const launch = (options: LaunchOptions) =>
  Effect.acquireRelease(
    Effect.promise(() => chromium.launch({ executablePath: "/usr/bin/chromium", args: flags, ...options })),
    (browser: Browser) => Effect.promise(() => browser.close())
  )

/** Uploads from a page of this origin. */
const upload = (browser: Browser, url: string) =>
  Effect.promise(async () => {
    const page = await browser.newPage({ ignoreHTTPSErrors: true })
    await page.goto(url)
    return page.evaluate(
      `fetch("/", { method: "POST", body: new Uint8Array(${megabytes}) }).then((response) => response.text())`
    )
  })

describeWith(["chromium"], () => {
  it.live.each(["http", "https"])("uploads through an %s proxy that asks for a password", (scheme) =>
    Effect.gen(function* () {
      const directory = yield* Temporary.directory
      const server = yield* Program.start([
        ...(scheme === "http" ? [] : ["--listen", "tls:127.0.0.1:0", "--tls", "auto"]),
        ...["--user", "alice:secret", "--config", localhost, "--log-level", "debug"]
      ])
      const plain = yield* Uploads.plain
      const secure = yield* Uploads.secure(directory)
      const urls = [`http://localhost:${plain.port}/`, `https://localhost:${secure.port}/`]
      yield* Effect.scoped(
        Effect.gen(function* () {
          const browser = yield* launch({
            proxy: {
              server: `${scheme}://127.0.0.1:${server.port}`,
              username: "alice",
              password: "secret",
              // Loopback, too.
              bypass: "<-loopback>"
            }
          })
          for (const url of urls) assert.strictEqual(yield* upload(browser, url), `POST ${megabytes}`)
        })
      )
      for (const [i, command] of ["FORWARD", "CONNECT"].entries()) {
        yield* server.logged({ command, user: "alice", target: new URL(urls[i]!).host, status: 200 })
      }
      // The proxy asked, and Playwright answered.
      yield* server.logged({ outcome: "NoAcceptableMethod", status: 407 })
    })
  )
})
