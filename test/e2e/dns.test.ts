/**
 * Names through a name server of the test's own: what it says, how the system's
 * files direct it, and what happens to everyone else while it says nothing.
 */
import { assert, describe, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { blackHole } from "../support/black-hole.ts"
import { greeting, request } from "../support/messages.ts"
import * as Names from "../support/names.ts"
import type { Program } from "../support/program.ts"
import { ask, connect, hasIPv6, serve } from "../support/sockets.ts"
import { until } from "../support/until.ts"

const v4 = [127, 0, 0, 1]
const v6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]

const zone: Readonly<Record<string, { readonly 4?: Names.Answer; readonly 6?: Names.Answer }>> = {
  "four.zone.test": { 4: [v4], 6: [] },
  "six.zone.test": { 4: [], 6: [v6] },
  "both.zone.test": { 4: [v4], 6: [v6] },
  "dead-six.zone.test": { 4: [v4], 6: "silence" },
  "dead-four.zone.test": { 4: "silence", 6: [v6] },
  "broken-six.zone.test": { 4: [v4], 6: "failure" },
  "broken.zone.test": { 4: "failure", 6: "failure" },
  "empty.zone.test": { 4: [], 6: [] },
  "intra.corp.test": { 4: [v4], 6: [] },
  "one.dot.branch.test": { 4: [[127, 0, 0, 2]], 6: [] },
  "one.dot": { 4: [v4], 6: [] }
}

const answers: Names.Answers = (name, family) =>
  name.endsWith(".silent.test") ? "silence" : (zone[name]?.[family] ?? "no such name")

interface Named {
  readonly program: Program
  readonly asked: ReadonlyArray<string>
}

const Named = Context.Service<Named>("test/e2e/dns/Named")

const named = Layer.effect(
  Named,
  Effect.gen(function* () {
    const asked = yield* Names.serve(answers)
    const program = yield* Names.start({
      flags: ["--resolve-timeout", "2s", "--log-level", "debug"],
      resolvConf: "search corp.test branch.test\noptions ndots:2",
      hosts: "127.0.0.1 known.by.hosts"
    })
    return { program, asked }
  })
)

/** Asks for a name; the reply, the address that it led to, and the time it took. */
const visit = Effect.fnUntraced(function* (name: string | ReadonlyArray<number>, port: number) {
  const { program } = yield* Named
  const started = performance.now()
  const { client, code } = yield* ask(program.port, name, port)
  const time = performance.now() - started
  yield* client.end
  const { address, outcome } = yield* program.session(client.duplex.localPort!)
  return { code, time, outcome, host: String(address).replace(/:\d+$/, "") }
}, Effect.scoped)

/** A target on every address of this machine that says nothing and hangs up. */
const target = serve((socket) => socket.end().resume(), "::")

describe.runIf(Names.isPermitted && hasIPv6)("Names (needs root, mount namespaces and IPv6)", () => {
  layer(named, { excludeTestServices: true })((it) => {
    const found: Record<string, string> = {
      "four.zone.test": "127.0.0.1",
      "six.zone.test": "[::1]",
      "both.zone.test": "[::1]",
      "broken-six.zone.test": "127.0.0.1",
      "known.by.hosts": "127.0.0.1",
      "one.dot": "127.0.0.1",
      "one.dot.": "127.0.0.1"
    }
    for (const [name, host] of Object.entries(found)) {
      it.effect(`${name} leads to ${host}`, () =>
        Effect.gen(function* () {
          const { port } = yield* target
          const visited = yield* visit(name, port)
          assert.deepStrictEqual([visited.code, visited.host], [0x00, host])
        })
      )
    }

    for (const [name, host] of [
      ["dead-six.zone.test", "127.0.0.1"],
      ["dead-four.zone.test", "[::1]"]
    ] as const) {
      it.effect(`${name} leads to ${host} without waiting for the missing family`, () =>
        Effect.gen(function* () {
          const { port } = yield* target
          // Neither family of this name is answered: a name that waited would not be faster.
          const waiting = yield* Effect.forkScoped(visit("b.silent.test", 80), { startImmediately: true })
          const visited = yield* visit(name, port)
          assert.deepStrictEqual([visited.code, visited.host], [0x00, host])
          assert.isUndefined(waiting.pollUnsafe())
        })
      )
    }

    it.effect("a dead IPv6 path costs the delay of one attempt, and only once", () =>
      Effect.gen(function* () {
        const { port } = yield* serve((socket) => socket.end().resume(), "127.0.0.1")
        yield* blackHole("::1", port)
        const first = yield* visit("both.zone.test", port)
        assert.deepStrictEqual([first.code, first.host], [0x00, "127.0.0.1"])
        assert.isAtLeast(first.time, 240)
        // The system would give the path up after two minutes, and the server after ten seconds.
        assert.isBelow(first.time, 1500)
        const again = yield* visit("both.zone.test", port)
        assert.deepStrictEqual([again.code, again.host], [0x00, "127.0.0.1"])
        assert.isBelow(again.time, 240)
      })
    )

    const failing: Record<string, string> = {
      // The search list would find it.
      intra: "NameNotFound",
      "intra.": "NameNotFound",
      "missing.zone.test": "NameNotFound",
      "empty.zone.test": "NameNotFound",
      "broken.zone.test": "ResolutionFailed",
      "a.silent.test": "ResolutionTimeout"
    }
    for (const [name, outcome] of Object.entries(failing)) {
      it.effect(`${name} is answered 04: ${outcome}`, () =>
        Effect.gen(function* () {
          const visited = yield* visit(name, 80)
          assert.deepStrictEqual([visited.code, visited.outcome], [0x04, outcome])
        })
      )
    }

    it.effect("no name server gets a query for localhost, a name in the hosts file, or an address", () =>
      Effect.gen(function* () {
        const { asked } = yield* Named
        const { port } = yield* target
        const before = asked.length
        for (const name of ["localhost", "sub.localhost", "known.by.hosts", "127.0.0.1", "::1", "[::1]"]) {
          yield* visit(name, port)
        }
        assert.deepStrictEqual(asked.slice(before), [])
      })
    )

    it.effect("look-ups without an answer delay no other session, and end in time", () =>
      Effect.gen(function* () {
        const { program, asked } = yield* Named
        const { port } = yield* target
        const others = Effect.gen(function* () {
          const times: Array<number> = []
          for (let i = 0; i < 7; i++) {
            for (const name of [v4, "localhost", "known.by.hosts"])
              times.push((yield* visit(name, port)).time)
          }
          return times.sort((a, b) => a - b)[times.length >> 1]!
        })
        const before = program.descriptors().length

        const clients = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, i) => `name-${i}.silent.test`),
          (name) =>
            Effect.gen(function* () {
              const client = yield* connect(program.port)
              yield* client.send([...greeting(0x00), ...request(name, 80)])
              return client
            })
        )
        const started = performance.now()
        yield* until(() => asked.includes("name-19.silent.test"))
        const meanwhile = yield* others
        // Two seconds and more if they waited for those that hang.
        assert.isBelow(meanwhile, 1000)

        for (const client of clients) assert.strictEqual((yield* client.rest)[3], 0x04)
        assert.isBelow(performance.now() - started, 10_000)
        yield* Effect.forEach(clients, (client) => client.end)
        // A socket for queries may stay.
        yield* until(() => program.descriptors().length <= before + 2)
      })
    )

    it.effect("a client that leaves during its look-up ends the look-up", () =>
      Effect.gen(function* () {
        const { program, asked } = yield* Named
        const client = yield* connect(program.port)
        const { localPort } = client.duplex
        yield* client.send([...greeting(0x00), ...request("gone.silent.test", 80)])
        yield* until(() => asked.includes("gone.silent.test"))
        yield* client.end
        const { outcome, duration } = yield* program.session(localPort!)
        assert.strictEqual(outcome, "ClientGone")
        assert.isBelow(Number(duration), 1900)
      })
    )
  })
})
