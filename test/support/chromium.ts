/**
 * Chromium, which fetches nothing but what it is told to.
 */
import * as Effect from "effect/Effect"
import { type BrowserContext, chromium } from "playwright-core"
import { directory } from "./temporary.ts"

const flags = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync"]
]

/** With a profile of its own, until the scope closes. */
export const browser = Effect.gen(function* () {
  const profile = yield* directory
  return yield* Effect.acquireRelease(
    Effect.promise(() =>
      chromium.launchPersistentContext(profile, {
        executablePath: "/usr/bin/chromium",
        args: flags,
        // A check for accessibility is a script of the test's own. The policy is looked at apart.
        bypassCSP: true,
        viewport: { width: 1280, height: 800 }
      })
    ),
    (context: BrowserContext) => Effect.promise(() => context.close())
  )
})
