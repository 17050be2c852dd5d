/**
 * The dashboard with ten thousand sessions and a flood of denials, in Chromium: the page must not freeze. The API is played
 * here, because so many sessions take more descriptors than a test may have.
 */
import { readFileSync } from "node:fs"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Overview, SessionQuery, Status } from "../../src/admin/Api.ts"
import * as SessionPage from "../../src/admin/SessionPage.ts"
import * as Slices from "../../src/base/Slices.ts"
import type { SessionSnapshot } from "../../src/session/SessionSnapshot.ts"
import * as Chromium from "../support/chromium.ts"
import { describeWith } from "../support/clients.ts"

const file = (name: string) => readFileSync(fileURLToPath(new URL(`../../dist/ui/${name}`, import.meta.url)))

const types = { html: "text/html", js: "text/javascript", css: "text/css", svg: "image/svg+xml" } as const

const startedAt = Date.now() - 3_600_000

const sessions = Array.from(
  { length: 10_000 },
  (_, index): SessionSnapshot => ({
    ...{ id: index + 1, user: `user${index % 500}`, client: `192.0.2.${index % 250}:${10_000 + index}` },
    ...{ listener: "0.0.0.0:1080", protocol: "SOCKS5", command: "CONNECT", rule: "default" },
    ...{ target: `host${index % 2000}.example:443`, address: "203.0.113.9:443" },
    ...{ startedAt: startedAt + index * 100, sent: index * 1000, received: index * 7000 }
  })
)

const status: Status = {
  ...{ version: "1.0.0", startedAt, ready: true, draining: false, listeners: ["0.0.0.0:1080"] },
  ...{ asksPassword: true, changesUsers: false, bans: 0, sessions: 10_000, associations: 0 },
  ...{ handshakes: 3, descriptors: 20_003, workers: [] }
}

const samples = () => {
  const last = Math.floor(Date.now() / 2000) * 2000
  return Array.from({ length: 450 }, (_, index) => {
    const at = last - (449 - index) * 2000
    return { at, sessions: 10_000, sent: at * 100, received: at * 1000 }
  })
}

const overview = (): Overview => ({
  ...{ status, samples: samples().slice(-15), upstreams: [] },
  users: Slices.runSync(SessionPage.traffic(sessions, "user")).slice(0, 10),
  targets: Slices.runSync(SessionPage.traffic(sessions, "target")).slice(0, 10)
})

const page = (query: URLSearchParams, response: ServerResponse): unknown => {
  const { offset, limit, ...others } = Object.fromEntries(query)
  const asked = { ...others, offset: Number(offset), limit: Number(limit) } as SessionQuery
  const { total, rows } = Slices.runSync(SessionPage.page(sessions, asked))
  response.setHeader("x-total-count", total)
  return rows
}

/** A thousand denials a second, until the reader is gone. */
const flood = (response: ServerResponse): void => {
  let count = 0
  response.writeHead(200, { "content-type": "text/event-stream" })
  const timer = setInterval(() => {
    const events = Array.from({ length: 250 }, () => ({
      ...{ _tag: "TargetDenied", verdict: "deny", rule: "*:25 is denied", user: `user${count++}` },
      ...{ client: "192.0.2.1", target: "203.0.113.1:25", listener: "0.0.0.0:1080" }
    }))
    response.write(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(""))
  }, 250)
  response.on("close", () => clearInterval(timer))
}

/** The port of the played server. */
const played = Effect.acquireRelease(
  Effect.callback<ReturnType<typeof createServer>>((resume) => {
    const server = createServer(({ url = "/" }, response) => {
      const { pathname, searchParams } = new URL(url, "http://localhost")
      if (pathname.startsWith("/ui/")) {
        const name = pathname.slice("/ui/".length) || "index.html"
        response.setHeader("content-type", types[name.split(".").pop() as keyof typeof types])
        return response.end(file(name))
      }
      if (pathname === "/api/events") return flood(response)
      const answers: Readonly<Record<string, () => unknown>> = {
        "/api/status": () => status,
        "/api/overview": overview,
        "/api/history": samples,
        "/api/sessions": () => page(searchParams, response)
      }
      const answer = answers[pathname]?.() ?? []
      response.setHeader("content-type", "application/json")
      return response.end(JSON.stringify(answer))
    }).listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) =>
    Effect.promise(
      () =>
        new Promise((resolve) => {
          server.close(resolve)
          server.closeAllConnections()
        })
    )
)

/** Milliseconds of the longest task of the page so far. */
const watch = `
  window.longest = 0
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration)
  }).observe({ type: "longtask" })`

describeWith(["chromium"], () => {
  it.live("does not freeze with ten thousand sessions and a thousand denials a second", () =>
    Effect.gen(function* () {
      const server = yield* played
      const context = yield* Chromium.browser
      const page = context.pages()[0]!
      const times: Record<string, number> = {}
      yield* Effect.promise(async () => {
        await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/ui/`)
        await page.getByLabel("Token").fill("any")
        await page.keyboard.press("Enter")
        await page.getByText("10,000", { exact: true }).waitFor()
        await page.evaluate(watch)
        const note = async (what: string) => {
          times[what] = await page.evaluate<number>("window.longest")
          await page.evaluate("window.longest = 0")
        }
        // A few refreshes of each.
        await page.waitForTimeout(2500)
        await note("overview")
        await page.getByRole("link", { name: "Denials", exact: true }).click()
        await page.getByRole("row").nth(200).waitFor()
        await page.waitForTimeout(1500)
        assert.strictEqual(await page.getByRole("row").count(), 201)
        await note("denials")
        await page.getByRole("link", { name: "Sessions" }).click()
        await page.getByText("1–50 of 10,000").waitFor()
        assert.strictEqual(await page.getByRole("row").count(), 51)
        // The buttons stand beside the rows, and not on them.
        const hidden = "(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)"
        assert.strictEqual(await page.evaluate(`${hidden}(document.querySelector(".table"))`), 0)
        await page.getByRole("button", { name: "Next" }).click()
        await page.getByText("51–100 of 10,000").waitFor()
        await page.getByRole("button", { name: "Received" }).click()
        await page.getByRole("row").filter({ hasText: "10000" }).first().waitFor()
        await page.getByLabel("Search sessions").pressSequentially("user77")
        await page.getByText("1–20 of 20").waitFor()
        await note("sessions")
      })
      for (const [what, time] of Object.entries(times)) assert.isBelow(time, 300, what)
    })
  )
})
