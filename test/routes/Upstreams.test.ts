/**
 * A server whose targets are behind an upstream, on a network in memory: what the upstream is asked for, and what
 * clients are told when it fails.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as fc from "fast-check"
import type { ServerOptions } from "../../src/library/ServerOptions.ts"
import type * as Event from "../../src/session/Event.ts"
import { Events } from "../../src/session/Events.ts"
import { layerServer, Network, type UpstreamOptions, upstream } from "../../src/testing/index.ts"
import { utf8 } from "../support/bytes.ts"
import { credentials, greeting, reply, request } from "../support/messages.ts"
import { holds } from "../support/property.ts"
import { settled } from "../support/streams.ts"

type Protocol = UpstreamOptions["protocol"]

const at = "192.0.2.9:1080"
const urls: Readonly<Record<Protocol, string>> = {
  socks5: `socks5://alice:secret@${at}`,
  socks4: `socks4://alice@${at}`,
  http: `http://alice:secret@${at}`
}
const logins: Readonly<Record<Protocol, string>> = {
  socks5: "alice:secret",
  socks4: "alice",
  http: "alice:secret"
}
const protocols = ["socks5", "socks4", "http"] as const

/** What a client is told that asks for a target, and the bytes behind that. */
const ask = (host = "203.0.113.80", sent = "") =>
  Effect.gen(function* () {
    const client = yield* (yield* Network).connect()
    yield* client.send([...greeting(0), ...request(host, 80), ...utf8(sent)])
    const answers = yield* client.receive(12)
    yield* client.end
    const rest = yield* client.rest
    return { code: answers[3], rest: Buffer.from(rest).toString() }
  }).pipe(Effect.scoped)

/** The same, at a server with this upstream and no other way to any target. */
const behind = (
  { protocol, ...options }: UpstreamOptions,
  settings: ServerOptions = {},
  asking: ReturnType<typeof ask> = ask()
) =>
  Effect.gen(function* () {
    const { target } = yield* Network
    const asked: Array<string> = []
    yield* target(
      at,
      upstream({ protocol, login: logins[protocol], onRequest: (it) => asked.push(it), ...options })
    )
    return { ...(yield* asking), asked }
  }).pipe(Effect.scoped, Effect.provide(layerServer({ upstream: urls[protocol], ...settings })))

describe.each(protocols)("an upstream of %s", (protocol) => {
  it.effect("is logged in to, gets the judged address, and passes bytes both ways", () =>
    Effect.gen(function* () {
      const { code, rest, asked } = yield* behind({ protocol }, {}, ask("203.0.113.80", "early"))
      assert.strictEqual(code, 0)
      assert.strictEqual(rest, "early")
      assert.deepStrictEqual(asked, ["203.0.113.80:80"])
    })
  )

  it.effect("may send the target's first bytes with its answer, and all of it byte by byte", () =>
    Effect.gen(function* () {
      const hello = { protocol, target: ({ send }) => send("hello") } satisfies UpstreamOptions
      assert.strictEqual((yield* behind(hello)).rest, "hello")
      assert.strictEqual((yield* behind({ ...hello, isSlow: true })).rest, "hello")
    })
  )

  it.effect("gets the name by its setting, and the judged address of the name otherwise", () =>
    Effect.gen(function* () {
      const asking = Effect.gen(function* () {
        yield* (yield* Network).target("target.example:80", () => Effect.die("went directly"))
        return yield* ask("target.example")
      }).pipe(Effect.scoped)
      const here = yield* behind({ protocol }, {}, asking)
      assert.match(here.asked[0]!, /^101\.0\.0\.1:80$/)
      const there = yield* behind({ protocol }, { upstream: `${urls[protocol]}?names=upstream` }, asking)
      assert.deepStrictEqual(there.asked, ["target.example:80"])
    })
  )

  it.effect("is reported as failed if it refuses the login", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* behind({ protocol, fault: { _tag: "RefuseLogin" } })).code, 1)
      assert.strictEqual((yield* behind({ protocol, login: "other:login" })).code, 1)
    })
  )

  it("is reported as failed if its answer is malformed", () =>
    holds(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 30 }), (bytes) =>
        Effect.runPromise(
          Effect.gen(function* () {
            // The client may be told nothing better than of a failure, unless the bytes are an answer by chance.
            const lie = Uint8Array.of(0xee, ...bytes, ...utf8("\r\n\r\n"))
            const { code } = yield* behind({ protocol, fault: { _tag: "Lie", bytes: lie } })
            assert.strictEqual(code, 1)
          })
        )
      ),
      { numRuns: 20 }
    ))

  it.effect("that is missing is distinguished from a missing target", () =>
    Effect.gen(function* () {
      const { code } = yield* ask()
      assert.strictEqual(code, 1)
    }).pipe(Effect.provide(layerServer({ upstream: urls[protocol] })))
  )
})

describe("an upstream's error about a target", () => {
  it.effect("is passed on, in SOCKS5 exactly", () =>
    Effect.gen(function* () {
      for (const code of [1, 2, 3, 4, 5, 6, 7, 8]) {
        const told = yield* behind({ protocol: "socks5", fault: { _tag: "Answer", code } })
        assert.strictEqual(told.code, code)
      }
    })
  )

  it.effect("is passed on by Proxy-Status, or by the status", () =>
    Effect.gen(function* () {
      const told = (code: number, error?: string) =>
        Effect.map(
          behind({
            protocol: "http",
            fault: { _tag: "Answer", code, ...(error && { fields: `Proxy-Status: p; error=${error}\r\n` }) }
          }),
          ({ code }) => code
        )
      assert.strictEqual(yield* told(502, "connection_refused"), 5)
      assert.strictEqual(yield* told(502, "connection_timeout"), 6)
      assert.strictEqual(yield* told(502, "dns_error"), 4)
      assert.strictEqual(yield* told(403), 2)
      assert.strictEqual(yield* told(504), 6)
      assert.strictEqual(yield* told(503), 1)
      assert.strictEqual(yield* told(400), 1)
    })
  )

  it.effect("is a general failure with SOCKS4", () =>
    Effect.gen(function* () {
      const told = yield* behind({ protocol: "socks4", fault: { _tag: "Answer", code: 0x5b } })
      assert.strictEqual(told.code, 1)
    })
  )
})

describe("the way to targets", () => {
  it.effect("never bypasses the upstream, except for targets with a direct route", () =>
    Effect.gen(function* () {
      const { target } = yield* Network
      for (const host of ["203.0.113.80", "198.51.100.7"]) {
        yield* target(`${host}:80`, ({ send }) => send("directly"))
      }
      assert.deepStrictEqual(yield* ask("203.0.113.80"), { code: 1, rest: "" })
      assert.deepStrictEqual(yield* ask("198.51.100.7"), { code: 0, rest: "directly" })
    }).pipe(
      Effect.scoped,
      Effect.provide(layerServer({ upstream: urls.socks5, noProxy: ["198.51.100.0/24"] }))
    )
  )

  it.effect("is in the events, with the address from which the connection left, also of a direct one", () =>
    Effect.gen(function* () {
      const { target } = yield* Network
      yield* target("203.0.113.80:80", ({ send }) => send("directly"))
      yield* target(at, upstream({ protocol: "http", login: "alice:secret" }))
      yield* target("192.0.2.8:1080", upstream({ protocol: "socks5" }))
      const ways: Array<unknown> = []
      yield* (yield* Events).listen(["SessionEnded"], ({ route, member, egress }) =>
        Effect.sync(() => void ways.push([route, member, egress]))
      )
      for (const host of ["203.0.113.80", "203.0.113.81", "203.0.113.82"]) {
        assert.strictEqual((yield* ask(host)).code, 0)
        yield* settled
      }
      assert.deepStrictEqual(ways, [
        ["direct", undefined, "198.51.100.1"],
        // An upstream of HTTP does not tell its address, one of SOCKS5 does.
        ["http", undefined, "198.51.100.1"],
        ["socks", undefined, "198.51.100.77"]
      ])
    }).pipe(
      Effect.scoped,
      Effect.provide(
        layerServer({
          routes: [
            { name: "http", via: urls.http },
            { name: "socks", via: "socks5://192.0.2.8" }
          ],
          rules: [
            { allow: true, to: "203.0.113.81", route: "http" },
            { allow: true, to: "203.0.113.82", route: "socks" },
            { allow: true }
          ]
        })
      )
    )
  )

  it.effect.each(["", "?pipelined=true"])(
    "is a chain if there are several upstreams, each of which gets the next%s",
    (options) => {
      const chain = [`socks5://192.0.2.9:1080${options}`, "http://bob:pw@second.example:3128"]
      const asked: Array<string> = []
      const onRequest = (target: string) => void asked.push(target)
      return Effect.gen(function* () {
        const second = upstream({ protocol: "http", login: "bob:pw", onRequest })
        yield* (yield* Network).target(at, upstream({ protocol: "socks5", onRequest, target: second }))
        assert.deepStrictEqual(yield* ask("203.0.113.80", "hi"), { code: 0, rest: "hi" })
        assert.deepStrictEqual(asked, ["second.example:3128", "203.0.113.80:80"])
      }).pipe(Effect.scoped, Effect.provide(layerServer({ upstream: chain })))
    }
  )

  it.effect(
    "costs one round trip in all, if all its upstreams take messages before they have answered",
    () => {
      const chain = [
        `socks5://alice:secret@${at}?pipelined=true`,
        "socks5://bob:pw@second.example:1080?pipelined=true"
      ]
      const messages = [
        ...[...greeting(2), ...credentials("alice", "secret"), ...request("second.example", 1080)],
        ...[...greeting(2), ...credentials("bob", "pw"), ...request("203.0.113.80", 80)]
      ]
      const answers = [5, 2, 1, 0, ...reply(0), 5, 2, 1, 0, ...reply(0), ...Buffer.from("hi")]
      return Effect.gen(function* () {
        yield* (yield* Network).target(at, ({ receive, send }) =>
          Effect.gen(function* () {
            // Nothing of this would come if something waited for an answer.
            assert.deepStrictEqual([...(yield* receive(messages.length))], messages)
            yield* send(answers)
          })
        )
        assert.deepStrictEqual(yield* ask("203.0.113.80"), { code: 0, rest: "hi" })
      }).pipe(Effect.scoped, Effect.provide(layerServer({ upstream: chain })))
    }
  )

  it.effect("is in the event of a session that fails, as the direct route is beside it", () => {
    const ended: Array<Event.SessionEnded> = []
    return Effect.gen(function* () {
      yield* (yield* Events).listen(["SessionEnded"], (event) => Effect.sync(() => void ended.push(event)))
      yield* (yield* Network).target(at, upstream({ protocol: "socks5", fault: { _tag: "Answer", code: 4 } }))
      for (const host of ["203.0.113.80", "203.0.113.81", "203.0.113.82"]) yield* ask(host)
      yield* settled
      assert.deepStrictEqual(
        ended.map(({ route, member, outcome }) => [route, member, outcome]),
        [
          ["office", undefined, "HostUnreachable"],
          ["direct", undefined, "ConnectionRefused"],
          ["gone", undefined, "UpstreamUnreachable"]
        ]
      )
    }).pipe(
      Effect.scoped,
      Effect.provide(
        layerServer({
          routes: [
            { name: "office", via: `socks5://${at}` },
            { name: "gone", via: "socks5://192.0.2.10:1080" }
          ],
          rules: [
            { allow: true, to: "203.0.113.80", route: "office" },
            { allow: true, to: "203.0.113.82", route: "gone" },
            { allow: true }
          ]
        })
      )
    )
  })

  it.effect("fails with the name of the upstream that cannot be reached", () => {
    const chain = [`socks5://${at}`, "http://bob:pw@second.example:3128"]
    return Effect.gen(function* () {
      const refused = { _tag: "Answer", code: 5 } as const
      yield* (yield* Network).target(at, upstream({ protocol: "socks5", fault: refused }))
      // Not that the target refuses.
      assert.strictEqual((yield* ask()).code, 1)
    }).pipe(Effect.scoped, Effect.provide(layerServer({ upstream: chain })))
  })

  it.effect("is refused if the upstream is the server itself, which would be a loop", () =>
    Effect.gen(function* () {
      const ended: Array<object> = []
      yield* (yield* Events).listen(["SessionEnded"], (event) => Effect.sync(() => void ended.push(event)))
      assert.strictEqual((yield* ask()).code, 1)
      yield* settled
      assert.deepInclude(ended, {
        ...ended[0],
        outcome: "UpstreamUnreachable",
        reason: "not allowed: this is the server itself, rule address guard"
      })
    }).pipe(Effect.scoped, Effect.provide(layerServer({ upstream: "socks5://127.0.0.1:1080" })))
  )

  it.effect(
    "takes no longer than the connect timeout, and the log names the upstream without an answer",
    () =>
      Effect.gen(function* () {
        const { target } = yield* Network
        yield* target(at, upstream({ protocol: "socks5", fault: { _tag: "Hang", after: 1 } }))
        const ended: Array<Event.SessionEnded> = []
        yield* (yield* Events).listen(["SessionEnded"], (event) => Effect.sync(() => void ended.push(event)))
        const asking = yield* Effect.forkChild(ask())
        yield* settled
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual((yield* Fiber.join(asking)).code, 1)
        yield* settled
        assert.deepInclude({ ...ended[0] } as object, {
          outcome: "UpstreamTimeout",
          upstream: `socks5://alice@${at}`
        })
      }).pipe(
        Effect.scoped,
        Effect.provide(layerServer({ upstream: urls.socks5, connectTimeout: "5 seconds" }))
      )
  )
})
