/**
 * Accessibility of a page in a browser, checked by axe.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { assert } from "@effect/vitest"
import type { Page } from "playwright-core"

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8")

/** What a screen reader would stumble over. */
export const violations = async (page: Page): Promise<ReadonlyArray<string>> => {
  await page.evaluate(axe)
  return page.evaluate(
    `axe.run({ resultTypes: ["violations"] }).then(({ violations }) =>
      violations.map(({ id, nodes }) => id + " " + nodes.map(({ html }) => html.slice(0, 200)).join(" | ")))`
  )
}

const sizes = [
  [1280, 800],
  [390, 844]
] as const

/** Looks at these pages of the dashboard in both themes and sizes: nothing is to be stumbled over, or beyond the edge. */
export const checkPages = async (page: Page, names: ReadonlyArray<string>): Promise<void> => {
  for (const theme of ["light", "dark"]) {
    await page.getByLabel("Theme").selectOption(theme)
    for (const [width, height] of sizes) {
      await page.setViewportSize({ width, height })
      for (const name of names) {
        await page.getByRole("link", { name, exact: true }).click()
        await page.getByRole("heading", { name, level: 1 }).waitFor()
        assert.deepStrictEqual(await violations(page), [], `${name} ${theme} ${width}`)
        const beyond = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert.strictEqual(beyond, 0, `${name} ${width}`)
      }
    }
    const background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert.strictEqual(background, theme === "light" ? "rgb(244, 246, 248)" : "rgb(14, 20, 25)")
  }
}
