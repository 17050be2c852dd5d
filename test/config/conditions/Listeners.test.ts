import { assert, describe, it } from "@effect/vitest"
import { listeners } from "../../../src/config/conditions/Listeners.ts"
import { written } from "../../support/conditions.ts"

const { formatted, holds, isRead } = written(listeners)

describe("a condition on listeners", () => {
  it("is an address or a path as in the log", () => {
    for (const text of ["127.0.0.1:1080", "[::1]:1080", "unix:/run/socks"]) {
      assert.strictEqual(formatted(text), text)
    }
    for (const wrong of ["localhost:1080", "127.0.0.1", "127.0.0.1:1080?udp=false", "systemd", ""]) {
      assert.isFalse(isRead(wrong), wrong)
    }
  })

  for (const [name, listener, expected] of [
    ["127.0.0.1:1080", "127.0.0.1:1080", true],
    ["127.0.0.1:1080", "127.0.0.1:1081", false],
    ["0.0.0.0:1080", "127.0.0.1:1080", true],
    ["0.0.0.0:1080", "127.0.0.1:11080", false],
    ["0.0.0.0:1080", "[::1]:1080", false],
    ["[::]:1080", "[::1]:1080", true],
    ["[::]:1080", "127.0.0.1:1080", true],
    ["[::]:1080", "unix:/run/a:1080", false],
    ["unix:/run/a", "unix:/run/a", true],
    ["unix:/run/a", "unix:/run/ab", false]
  ] as const) {
    it(`${name} ${expected ? "holds" : "does not hold"} at ${listener}`, () => {
      assert.strictEqual(holds(name, { listener }), expected)
    })
  }
})
