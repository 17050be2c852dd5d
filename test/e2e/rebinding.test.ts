/**
 * A name whose answers change from one question to the next, through the built
 * program: what was judged is dialled, and nothing else. 127.0.0.2 plays the
 * Internet here, and 127.0.0.1 what is private.
 */
import { createServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Names from "../support/names.ts"
import { ask } from "../support/sockets.ts"

const nameServer = "127.0.0.98"
const [inside, outside] = [
  [127, 0, 0, 1],
  [127, 0, 0, 2]
]

/** Both addresses, listening at the same port; how many connections each of them got. */
const targets = Effect.gen(function* () {
  const counts = { inside: 0, outside: 0 }
  const listen = (host: string, port: number, place: keyof typeof counts) =>
    Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const server = createServer((socket) => {
          counts[place]++
          socket.on("error", () => {}).end()
        })
        server.listen({ host, port }, () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close())
    )
  const server = yield* listen("127.0.0.1", 0, "inside")
  const { port } = server.address() as { readonly port: number }
  yield* listen("127.0.0.2", port, "outside")
  return { port, counts }
})

/** By turns public and private; what mixes both; and what has changed for good. */
const answers = (): Names.Answers => {
  const asked = new Map<string, number>()
  return (name, family) => {
    if (family === 6) return []
    const count = (asked.get(name) ?? 0) + 1
    asked.set(name, count)
    if (name === "mixed.zone.test") return [inside!, outside!]
    return count % 2 === 1 ? [outside!] : [inside!]
  }
}

const rebinding = Effect.gen(function* () {
  const asked = yield* Names.serve(answers(), nameServer)
  const { port, counts } = yield* targets
  const program = yield* Names.start({
    flags: ["--private-targets", "deny", "--allow-target", "127.0.0.2"],
    resolvConf: "",
    hosts: "",
    nameServer
  })
  assert.include(yield* program.logged({ message: "listening" }), { privateTargets: false })
  const visit = Effect.fnUntraced(function* (name: string) {
    const { client, code } = yield* ask(program.port, name, port)
    yield* client.end
    const { address, reason } = yield* program.session(client.duplex.localPort!)
    return { code, address, reason }
  }, Effect.scoped)
  return { asked, port, counts, visit }
})

describe.runIf(Names.isPermitted)("Rebinding (needs root and mount namespaces)", () => {
  it.live("dials the judged answer, and sends no second query", () =>
    Effect.gen(function* () {
      const { asked, port, counts, visit } = yield* rebinding
      const first = yield* visit("turning.zone.test")
      assert.deepStrictEqual(first, { code: 0x00, address: `127.0.0.2:${port}`, reason: undefined })
      // One question for each family.
      assert.deepStrictEqual(asked, ["turning.zone.test", "turning.zone.test"])
      assert.deepStrictEqual(counts, { inside: 0, outside: 1 })

      const second = yield* visit("turning.zone.test")
      assert.deepStrictEqual(second, {
        code: 0x02,
        address: undefined,
        reason: "an address of turning.zone.test is loopback (RFC 1122)"
      })
      assert.deepStrictEqual(counts, { inside: 0, outside: 1 })

      const third = yield* visit("turning.zone.test")
      assert.strictEqual(third.code, 0x00)
      assert.deepStrictEqual(counts, { inside: 0, outside: 2 })
    })
  )

  it.live("dials only the allowed ones of several answers", () =>
    Effect.gen(function* () {
      const { port, counts, visit } = yield* rebinding
      for (let i = 1; i <= 3; i++) {
        const { code, address } = yield* visit("mixed.zone.test")
        assert.deepStrictEqual([code, address], [0x00, `127.0.0.2:${port}`])
        assert.deepStrictEqual(counts, { inside: 0, outside: i })
      }
    })
  )
})
