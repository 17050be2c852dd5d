/**
 * What `top` shows, and what its keys do.
 */
import { assert, describe, it } from "@effect/vitest"
import type { SessionRow } from "../../src/admin/Api.ts"
import * as TopScreen from "../../src/cli/TopScreen.ts"

const session = (id: number, more: Partial<SessionRow> = {}): SessionRow => ({
  ...{ id, user: null, client: `192.0.2.${id}:5000`, listener: "127.0.0.1:1080", protocol: "SOCKS5" },
  ...{ command: "CONNECT", target: "example.com:443", address: null, rule: null, route: null },
  ...{ startedAt: 0, sent: 0, received: 0, ...more }
})

const seen: TopScreen.Seen = {
  at: 65_000,
  status: {
    ...{ version: "1.0.0", startedAt: 0, ready: true, draining: false, listeners: [], asksPassword: false },
    ...{
      bans: 2,
      changesUsers: false,
      sessions: 3,
      associations: 0,
      handshakes: 1,
      descriptors: 7,
      workers: []
    }
  },
  sessions: [session(1), session(2, { user: "\u001b[31mred\r\n" }), session(3)],
  total: 3,
  rates: { up: 1024, down: 0 }
}

/** The state after these keys, and the numbers of the sessions that they end. */
const pressed = (...keys: ReadonlyArray<string>) => {
  const killed: Array<number> = []
  let state = TopScreen.initial
  for (const key of keys) {
    const next = TopScreen.press(state, seen, key, key.length === 1 ? key : undefined)
    if (next === "quit") return { state, killed, isOver: true }
    state = next.state
    if (next.killing !== undefined) killed.push(next.killing)
  }
  return { state, killed, isOver: false }
}

describe("the keys", () => {
  it("choose a session, and end it", () => {
    assert.deepStrictEqual(pressed("down", "k").killed, [2])
    assert.deepStrictEqual(pressed("down", "down", "down", "up", "k").killed, [2])
    assert.deepStrictEqual(pressed("k", "k").killed, [1, 2])
    assert.isTrue(pressed("q").isOver)
  })

  it("sort, reverse and search", () => {
    assert.deepInclude(pressed("s", "r").state, { sort: "sent", isDescending: false })
    assert.strictEqual(pressed(...TopScreen.sorts.map(() => "s")).state.sort, TopScreen.initial.sort)
    assert.deepInclude(pressed("/", "q", "k", "x", "backspace", "return").state, {
      search: "qk",
      isSearching: false
    })
    assert.strictEqual(pressed("/", "a", "escape").state.search, "")
    assert.isFalse(TopScreen.isSameQuery(TopScreen.initial, pressed("s").state))
    assert.isTrue(TopScreen.isSameQuery(TopScreen.initial, pressed("down").state))
  })
})

describe("the screen", () => {
  it("fits the terminal, and has no escape sequence of a client", () => {
    const text = TopScreen.render(pressed("down").state, seen, { columns: 40, rows: 10 })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those of the screen itself.
    const lines = text.replaceAll(/\u001b\[[\d;]*[A-Zm]/g, "").split("\r\n")
    assert.isAtMost(lines.length, 10)
    for (const line of lines) assert.isAtMost(line.length, 40)
    assert.notInclude(text, "[31m\r\n")
    assert.include(text, "\\u{1b}")
    assert.include(text, "\u001b[7m     2".replace("     2", ""))
    assert.include(lines[0], "effect-socks 1.0.0  up 1m 5s")
  })

  it("has no style where none is wanted, and marks the chosen session by a character", () => {
    const text = TopScreen.render(pressed("down").state, seen, { columns: 60, rows: 10, isPlain: true })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those of the screen itself.
    assert.notMatch(text, /\u001b\[[\d;]*m/)
    assert.lengthOf(text.match(/^> .*192\.0\.2\.2/gm) ?? [], 1)
    assert.lengthOf(text.match(/^ {2}.*192\.0\.2\.\d/gm) ?? [], 2)
  })

  it("says how fast the bytes are", () => {
    const sample = (at: number, sent: number) => ({ at, sent, received: 0, sessions: 1 })
    assert.deepStrictEqual(TopScreen.ratesOf([sample(0, 0), sample(2000, 4096)]), { up: 2048, down: 0 })
    assert.deepStrictEqual(TopScreen.ratesOf([sample(0, 9), sample(2000, 1)]), { up: 0, down: 0 })
    assert.deepStrictEqual(TopScreen.ratesOf([]), { up: 0, down: 0 })
  })
})
