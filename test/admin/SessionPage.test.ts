/**
 * Filters, orders and pages of sessions.
 */
import { assert, describe, it } from "@effect/vitest"
import * as SessionPage from "../../src/admin/SessionPage.ts"
import * as Slices from "../../src/base/Slices.ts"
import type { SessionSnapshot } from "../../src/session/SessionSnapshot.ts"

const session = (id: number, more: Partial<SessionSnapshot> = {}): SessionSnapshot => ({
  ...{
    id,
    client: `192.0.2.${id}:5000`,
    listener: "127.0.0.1:1080",
    startedAt: 1000 + id,
    sent: id,
    received: 0
  },
  ...more
})

const sessions = [
  session(1, { user: "alice", target: "example.com:443", protocol: "SOCKS5", command: "CONNECT" }),
  session(2, { user: "bob", target: "[2001:db8::1]:80", protocol: "HTTP", command: "FORWARD", rule: "web" }),
  session(3, { user: "alice", client: "[2001:db8::9]:5000", received: 70 }),
  session(4, { client: "unix:/run/socks.sock" })
]

const ids = (query: Parameters<typeof SessionPage.page>[1]) => {
  const { total, rows } = Slices.runSync(SessionPage.page(sessions, query))
  return [total, rows.map(({ id }) => id)]
}

describe("a page of sessions", () => {
  it("has the sessions of the query", () => {
    assert.deepStrictEqual(ids({}), [4, [1, 2, 3, 4]])
    assert.deepStrictEqual(ids({ user: "alice" }), [2, [1, 3]])
    assert.deepStrictEqual(ids({ client: "192.0.2.1" }), [1, [1]])
    assert.deepStrictEqual(ids({ client: "2001:db8::9" }), [1, [3]])
    assert.deepStrictEqual(ids({ client: "unix:/run/socks.sock" }), [1, [4]])
    assert.deepStrictEqual(ids({ target: "example.com" }), [1, [1]])
    assert.deepStrictEqual(ids({ target: "[2001:db8::1]:80" }), [1, [2]])
    assert.deepStrictEqual(ids({ protocol: "socks5" }), [1, [1]])
    assert.deepStrictEqual(ids({ command: "forward", rule: "web" }), [1, [2]])
    assert.deepStrictEqual(ids({ search: "EXAMPLE" }), [1, [1]])
    assert.deepStrictEqual(ids({ search: "" }), [4, [1, 2, 3, 4]])
  })

  it("has the order of the query, and no more sessions than its limit", () => {
    assert.deepStrictEqual(ids({ order: "desc" }), [4, [4, 3, 2, 1]])
    assert.deepStrictEqual(ids({ sort: "received", order: "desc", limit: 1 }), [4, [3]])
    assert.deepStrictEqual(ids({ sort: "user" }), [4, [4, 1, 3, 2]])
    assert.deepStrictEqual(ids({ offset: 2, limit: 1 }), [4, [3]])
    assert.deepStrictEqual(ids({ offset: 9 }), [4, []])
    assert.deepStrictEqual(ids({ offset: 3, order: "desc" }), [4, [1]])
    assert.deepStrictEqual(ids({ offset: 9, order: "desc" }), [4, []])
    assert.deepStrictEqual(
      sessions.map(({ id }) => id),
      [1, 2, 3, 4]
    )
  })

  it("is made in pieces", () => {
    const many = Array.from({ length: 10_000 }, (_, id) => session(id, { user: `user ${id % 77}` }))
    let pieces = 0
    for (const _ of SessionPage.page(many, { sort: "user", order: "desc", search: "user" })) pieces++
    assert.isAbove(pieces, 100)
    const { rows } = Slices.runSync(SessionPage.page(many, { sort: "user", order: "desc", limit: 1000 }))
    assert.deepStrictEqual(
      rows.map(({ user, id }) => [user ?? null, id]),
      many
        .sort(({ user: a = "", id: one }, { user: b = "", id: other }) =>
          a < b ? 1 : a === b ? other - one : -1
        )
        .slice(0, 1000)
        .map(({ user, id }) => [user ?? null, id])
    )
  })

  it("has every field of a session", () => {
    assert.deepInclude(SessionPage.row(sessions[3]!), { user: null, target: null, rule: null, route: null })
  })
})

it("traffic is summed by a common field, the most first", () => {
  assert.deepStrictEqual(Slices.runSync(SessionPage.traffic(sessions, "user")), [
    { key: "alice", sessions: 2, sent: 4, received: 70 },
    { key: null, sessions: 1, sent: 4, received: 0 },
    { key: "bob", sessions: 1, sent: 2, received: 0 }
  ])
  assert.deepInclude(Slices.runSync(SessionPage.traffic(sessions, "client")), {
    ...{ key: "2001:db8::9", sessions: 1, sent: 3, received: 70 }
  })
})
