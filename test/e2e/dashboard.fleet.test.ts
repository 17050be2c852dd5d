/**
 * The machines of a fleet in the dashboard of one of them.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Admin from "../support/admin.ts"
import * as Axe from "../support/axe.ts"
import * as Chromium from "../support/chromium.ts"
import { describeWith } from "../support/clients.ts"
import * as Program from "../support/program.ts"
import * as Redis from "../support/redis.ts"
import * as Tcp from "../support/tcp.ts"

const { token } = Admin

describeWith(["chromium", "redis-server"], () => {
  it.live("shows the machines, drains one, and says which does not answer", () =>
    Effect.gen(function* () {
      const store = yield* Redis.make()
      const machine = Effect.fnUntraced(function* (name: string) {
        const program = yield* Program.start([
          ...[
            "--fleet",
            store.url,
            "--fleet-machine",
            name,
            "--fleet-lease",
            "3s",
            "--drain-timeout",
            "100ms"
          ],
          ...["--admin", "127.0.0.1:0", "--admin-token", token, "--session-rate", name === "one" ? "5" : "50"]
        ])
        const { address } = yield* program.logged({ message: "admin listens" })
        return { ...program, address: String(address) }
      })
      const [one, two] = yield* Effect.all([machine("one"), machine("two")], { concurrency: 2 })
      yield* Tcp.session(two.port)
      const page = (yield* Chromium.browser).pages()[0]!
      const problems: Array<string> = []
      page.on("pageerror", ({ message }) => problems.push(message))
      page.on("console", (message) => message.type() === "error" && problems.push(message.text()))
      const row = (name: string) => page.getByRole("row").filter({ hasText: name })
      yield* Effect.promise(async () => {
        await page.goto(`http://${one.address}/ui/`)
        await page.getByLabel("Token").fill(token)
        await page.keyboard.press("Enter")
        await page.getByRole("link", { name: "Fleet" }).click()
        await row("one (this one)").getByText("ready", { exact: true }).waitFor()
        await row("two").getByText("ready", { exact: true }).waitFor()
        assert.strictEqual(await row("two").getByRole("cell").nth(5).textContent(), "1")
        // By keyboard.
        await row("two").getByRole("button", { name: "Drain two" }).focus()
        await page.keyboard.press("Enter")
        await page.getByRole("dialog").getByRole("button", { name: "Drain" }).click()
        await row("two").getByText("draining", { exact: true }).waitFor()
      })
      const ready = Admin.ask({ port: Program.portOf(two.address) }, "/readyz")
      assert.strictEqual((yield* ready).status, 503)
      yield* Effect.promise(async () => {
        await page.getByText("The limit session-rate is 5 on one, and 50 on two.").waitFor()
        await Axe.checkPages(page, ["Fleet"])
        await row("two").getByRole("button", { name: "End drain of two" }).click()
        await row("two").getByText("ready", { exact: true }).waitFor()
      })
      assert.strictEqual((yield* ready).status, 200)
      yield* store.kill
      yield* Effect.promise(() => page.getByText("The fleet's store does not answer").waitFor())
      assert.deepStrictEqual(problems, [])
    })
  )
})
