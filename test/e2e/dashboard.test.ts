/**
 * The dashboard in Chromium: signing in, sessions, bans, both themes and both sizes, by keyboard, and for screen readers.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Axe from "../support/axe.ts"
import * as Chromium from "../support/chromium.ts"
import { describeWith } from "../support/clients.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import { directory } from "../support/temporary.ts"

const token = "0123456789-abcdefghij"
const bob = "bob <b>/..%2f"
const mallory = "<img src=x onerror=alert(1)>"
describeWith(["chromium"], () => {
  it.live("shows sessions and bans, ends and lifts them, in both themes and sizes", () =>
    Effect.gen(function* () {
      const usersFile = join(yield* directory, "users.yaml")
      writeFileSync(usersFile, "[]")
      const program = yield* Program.start([
        ...["--admin", "127.0.0.1:0", "--admin-token", token, "--deny-target", "*:25"],
        ...["--user", `${mallory}:secret`, "--users-file", usersFile]
      ])
      const { address } = yield* program.logged({ message: "admin listens" })
      const target = yield* Tcp.target
      const { client } = yield* Tcp.sessionOf(mallory, program.port, target)
      const { localPort } = client.duplex as unknown as { readonly localPort: number }
      const context = yield* Chromium.browser
      const page = context.pages()[0]!
      const problems: Array<string> = []
      page.on("pageerror", ({ message }) => problems.push(message))
      page.on("console", (message) => message.type() === "error" && problems.push(message.text()))
      page.on("dialog", (dialog) => {
        problems.push(dialog.message())
        void dialog.dismiss()
      })

      yield* Effect.promise(async () => {
        // Signing in, by keyboard.
        const answer = await page.goto(`http://${address}/ui/`)
        const policy = answer?.headers()["content-security-policy"]
        assert.match(String(policy), /^default-src 'none'; script-src 'self'; style-src 'self';/)
        assert.deepStrictEqual(await Axe.violations(page), [])
        await page.keyboard.type("wrong")
        await page.keyboard.press("Enter")
        await page.getByText("The server does not take this token.").waitFor()
        await page.getByLabel("Token").fill(token)
        await page.keyboard.press("Enter")
        await page.getByRole("heading", { name: "Overview" }).waitFor()
        assert.notInclude(page.url(), token)
        await page.getByText("1", { exact: true }).first().waitFor()
        // The refused token was an error of the console's own.
        problems.length = 0

        // Sessions: list, search, end.
        await page.getByRole("link", { name: "Sessions" }).click()
        const row = page.getByRole("row").filter({ hasText: `127.0.0.1:${localPort}` })
        await row.waitFor()
        assert.include(await row.textContent(), mallory)
        await page.getByLabel("Search sessions").fill("nobody")
        await page.getByText("No session is open, or none has this in it.").waitFor()
        await page.getByLabel("Search sessions").fill(String(localPort))
        await row.getByRole("button", { name: /^End session/ }).click()
        await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click()
        await row.getByRole("button", { name: /^End session/ }).click()
        await page.getByRole("dialog").getByRole("button", { name: "End session" }).click()
        await page.getByText("has ended.").waitFor()
        await page.getByText("No session is open, or none has this in it.").waitFor()
      })
      yield* program.logged({
        message: "session",
        outcome: "ended by operator",
        client: `127.0.0.1:${localPort}`
      })

      // Denials, as they happen.
      yield* Effect.promise(() => page.getByRole("link", { name: "Denials", exact: true }).click())
      const other = yield* Tcp.connect(program.port)
      yield* Tcp.authenticate(other, mallory, "secret")
      yield* other.send([5, 1, 0, 1, 127, 0, 0, 1, 0, 25])
      yield* Effect.promise(async () => {
        await page.getByText("*:25 is denied").waitFor()

        // Bans: ban, and lift.
        await page.getByRole("link", { name: "Bans" }).click()
        await page.getByLabel("Network or address").fill("203.0.113.0/24")
        await page.getByLabel("Reason").fill(mallory)
        await page.getByRole("button", { name: "Ban", exact: true }).click()
        const ban = page.getByRole("row").filter({ hasText: "203.0.113.0/24" })
        await ban.getByRole("button", { name: "Lift the ban of 203.0.113.0/24" }).click()
        await page.getByRole("dialog").getByRole("button", { name: "Lift ban" }).click()
        await page.getByText("No network is banned, or no ban matches the search.").waitFor()

        // Users: add, disable, another password, remove; by keyboard.
        await page.getByRole("link", { name: "Users", exact: true }).click()
        await page.getByLabel("Name", { exact: true }).fill(bob)
        await page.keyboard.press("Tab")
        await page.keyboard.type("secret")
        await page.keyboard.press("Tab")
        await page.keyboard.type("staff, night")
        await page.keyboard.press("Enter")
        const user = page.getByRole("row").filter({ hasText: bob })
        await user.getByText("staff, night").waitFor()
        await user.getByRole("button", { name: `Disable ${bob}` }).focus()
        await page.keyboard.press("Enter")
        await user.getByRole("button", { name: `Enable ${bob}` }).click()
        await user.getByRole("button", { name: `Disable ${bob}` }).waitFor()
        await user.getByRole("button", { name: `Set the password of ${bob}` }).click()
        assert.deepStrictEqual(await Axe.violations(page), [])
        await page.keyboard.type("another")
        await page.keyboard.press("Enter")
        await page.getByText("has a new password.").waitFor()
        assert.strictEqual(await page.getByRole("button", { name: `Remove ${mallory}` }).count(), 0)
      })
      assert.strictEqual((yield* Tcp.logIn(program.port, bob, "another"))[1], 0)
      yield* Effect.promise(async () => {
        const user = page.getByRole("row").filter({ hasText: bob })
        await user.getByRole("button", { name: `Remove ${bob}` }).click()
        await page.getByRole("dialog").getByRole("button", { name: "Remove user" }).click()
        await user.waitFor({ state: "detached" })
        // A name that is taken: the fields stay.
        await page.getByLabel("Name", { exact: true }).fill(mallory)
        await page.getByLabel("Password", { exact: true }).fill("secret")
        await page.getByRole("button", { name: "Add user" }).click()
        await page.getByText("there is a user").waitFor()
        assert.strictEqual(await page.getByLabel("Name", { exact: true }).inputValue(), mallory)
        // The refusal was an error of the console's own.
        problems.length = 0

        // Every page, in both themes and sizes. There is none of a fleet.
        await Axe.checkPages(page, ["Overview", "Sessions", "Denials", "Bans", "Users", "Settings"])
        assert.isFalse(await page.getByRole("link", { name: "Fleet" }).isVisible())
        await page.getByRole("button", { name: "Sign out" }).click()
        await page.getByRole("heading", { name: "Sign in" }).waitFor()
        assert.strictEqual(await page.evaluate("sessionStorage.length"), 0)
      })
      assert.deepStrictEqual(problems, [])
    })
  )
})
