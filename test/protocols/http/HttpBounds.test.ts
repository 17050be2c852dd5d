/**
 * What a client, or a target, can make of HTTP that costs the server much: heads
 * of many fields, requests sent ahead, interim responses without end, and bytes
 * that are in no body.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { Authenticator } from "../../../src/auth/Authenticator.ts"
import { connect, dialer, layer, type Peer, type Replacements } from "../../../src/testing/index.ts"
import { message, receive, receiveAll, requests, text } from "../../support/http.ts"
import { captured } from "../../support/logs.ts"
import { settled } from "../../support/streams.ts"

const asAlice = {
  authenticator: Authenticator.layerUsers([{ name: "alice", password: Redacted.make("secret") }])
}
const credentials = `Proxy-Authorization: Basic ${btoa("alice:secret")}`

const lines = (method: string, path: string, fields: ReadonlyArray<string>) => [
  `${method} http://target.example${path} HTTP/1.1`,
  "Host: target.example",
  ...fields
]
const get = (path = "/", ...fields: ReadonlyArray<string>) => message(lines("GET", path, fields))
const many = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: y`)
const ok = message(["HTTP/1.1 200 OK", "Content-Length: 2"], "ok")

/** Targets that answer the head of each request with these bytes. */
const answering = (bytes: Uint8Array | ReadonlyArray<Uint8Array>) => {
  const heads: Array<string> = []
  const pieces = bytes instanceof Uint8Array ? [bytes] : bytes
  const targets = dialer(({ duplex }: Peer) => {
    const read = requests((head) => {
      heads.push(head)
      for (const piece of pieces) duplex.write(piece)
    })
    duplex.on("data", read)
  })
  return { heads, targets, served: (more: Replacements = {}) => layer({ ...more, dialer: targets }) }
}

/** What the sessions of a test leave in the log. */
const sessions = () => {
  const { lines, layer: logs } = captured()
  return { logs, of: () => lines.filter(({ message }) => message === "session").map(({ fields }) => fields) }
}

describe("a head", () => {
  it.effect("of a hundred fields is served, and of one more is refused", () => {
    const target = answering(ok)
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(get("/", ...many(99)))
      assert.strictEqual((yield* receive(client)).status, 200)
      yield* client.send(get("/", ...many(100)))
      const refusal = yield* receiveAll(client)
      assert.strictEqual(refusal.start, "HTTP/1.1 431 Request Header Fields Too Large")
      assert.strictEqual(refusal.fields.connection, "close")
      assert.strictEqual(target.heads.length, 1)
    }).pipe(Effect.provide(target.served()))
  })

  it.effect("of many fields is refused before login and request, complete or not", () =>
    Effect.gen(function* () {
      for (const [end, method] of [
        ["\r\n\r\n", "GET"],
        ["", "CONNECT"]
      ] as const) {
        const client = yield* connect
        const target = method === "GET" ? "http://target.example/" : "target.example:80"
        yield* client.send(`${method} ${target} HTTP/1.1\r\nHost: a\r\n${"a:\r\n".repeat(7950)}${end}`)
        assert.strictEqual((yield* receiveAll(client)).status, 431)
      }
    }).pipe(Effect.provide(layer(asAlice)))
  )

  it.effect("of 60 KiB is served, and of more than 64 KiB refused", () => {
    const target = answering(ok)
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(get("/", `X: ${"x".repeat(60 * 1024)}`))
      assert.strictEqual((yield* receive(client)).status, 200)
      yield* client.send(get("/", `X: ${"x".repeat(64 * 1024)}`))
      assert.strictEqual((yield* receiveAll(client)).status, 431)
    }).pipe(Effect.provide(target.served()))
  })

  it.effect("of a response with too many fields is refused", () => {
    const target = answering(message(["HTTP/1.1 200 OK", ...many(300), "Content-Length: 0"]))
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(get())
      assert.strictEqual((yield* receive(client)).status, 502)
    }).pipe(Effect.provide(target.served()))
  })
})

describe("requests sent ahead", () => {
  it.effect("are answered one by one, however many there are", () => {
    const target = answering(ok)
    return Effect.gen(function* () {
      const client = yield* connect
      const count = 500
      const all = Array.from({ length: count }, (_, i) => Buffer.from(get(`/${i}`)))
      yield* client.send(Buffer.concat(all))
      for (let i = 0; i < count; i++) assert.strictEqual((yield* receive(client)).body, "ok")
      assert.strictEqual(target.heads.length, count)
      for (const [i, head] of target.heads.entries()) assert.isTrue(head.startsWith(`GET /${i} `))
    }).pipe(Effect.provide(target.served()))
  })

  it.effect("are not read while one is served", () => {
    const asked: Array<Peer> = []
    const targets = dialer((peer) =>
      peer.duplex.on(
        "data",
        requests(() => asked.push(peer))
      )
    )
    return Effect.gen(function* () {
      const client = yield* connect
      for (let i = 0; i < 100; i++) yield* client.send(Buffer.concat(Array(1000).fill(get())))
      yield* settled
      assert.strictEqual(asked.length, 1)
      // One piece was read, and waits; the rest is still the client's.
      assert.isAtLeast(client.duplex.writableLength, 98 * 1000 * get().length)
      yield* asked[0]!.send(ok)
      assert.strictEqual((yield* receive(client)).body, "ok")
      yield* settled
      assert.strictEqual(asked.length, 2)
    }).pipe(Effect.provide(layer({ dialer: targets })))
  })

  for (const [what, post] of [
    ["of a known length", message(lines("POST", "/1", ["Content-Length: 11"]), "a\r\n\r\nb\r\n\r\nc")],
    [
      "in chunks",
      message(
        lines("POST", "/1", ["Transfer-Encoding: chunked"]),
        "b\r\na\r\n\r\nb\r\n\r\nc\r\n0\r\nX: y\r\n\r\n"
      )
    ]
  ] as const) {
    it.effect(`come after bodies ${what}, split anywhere`, () => {
      const target = answering(ok)
      const bytes = [...post, ...get("/2"), ...get("/3")]
      const split = Effect.fnUntraced(function* (at: number) {
        target.heads.length = 0
        const client = yield* connect
        yield* client.send(bytes.slice(0, at))
        yield* client.send(bytes.slice(at))
        for (let i = 1; i <= 3; i++) assert.strictEqual((yield* receive(client)).body, "ok")
        assert.deepStrictEqual(
          target.heads.map((head) => head.split(" ")[1]),
          ["/1", "/2", "/3"]
        )
      }, Effect.scoped)
      return Effect.gen(function* () {
        for (let at = 1; at < bytes.length; at += 3) yield* split(at)
      }).pipe(Effect.provide(target.served()))
    })
  }

  it.effect("wait behind a body that was refused", () => {
    const target = answering(ok)
    return Effect.gen(function* () {
      const client = yield* connect
      const refused = message(lines("POST", "/1", ["Content-Length: 30000"]), "x".repeat(30_000))
      yield* client.send([...refused, ...get("/2", credentials)])
      assert.strictEqual((yield* receive(client)).status, 407)
      assert.strictEqual((yield* receive(client)).status, 200)
      assert.deepStrictEqual(
        target.heads.map((head) => head.split(" ")[1]),
        ["/2"]
      )
    }).pipe(Effect.provide(target.served(asAlice)))
  })
})

describe("bytes", () => {
  it.effect("of heads and bodies count as they are on the sockets", () => {
    const target = answering(ok)
    const log = sessions()
    return Effect.gen(function* () {
      const client = yield* connect
      const request = message(lines("POST", "/", [`X: ${"x".repeat(1000)}`, "Content-Length: 5"]), "hello")
      yield* client.send([...request, ...request, ...get("/", "Connection: close")])
      const received = text(yield* client.rest)
      yield* client.end
      yield* settled
      const [first, second] = log.of()
      assert.strictEqual(first!.sent, Math.max(request.length, target.heads[0]!.length + 5))
      assert.strictEqual(second!.sent, first!.sent)
      assert.strictEqual(first!.received, received.indexOf("ok") + 2)
      assert.strictEqual(
        received.length,
        log.of().reduce((sum, { received }) => sum + Number(received), 0)
      )
    }).pipe(Effect.provide(Layer.merge(target.served(), log.logs)))
  })

  it.effect("in front of a response may be a few line ends, and not any number of them", () => {
    const response = text(message(["HTTP/1.1 200 OK", "Content-Length: 0"]))
    const few = answering(Buffer.from(`\r\n\r\n${response}`))
    const many = answering(Buffer.from("\r\n".repeat(9)))
    const status = Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(message(lines("GET", "/", [])))
      return (yield* receive(client)).status
    })
    return Effect.gen(function* () {
      assert.strictEqual(yield* Effect.provide(status, few.served()), 200)
      assert.strictEqual(yield* Effect.provide(status, many.served()), 502)
    })
  })

  it.effect("count once, for the connection with more of them", () => {
    const dropped = message(["HTTP/1.1 200 OK", `Connection: ${"x".repeat(2000)}`, "Content-Length: 0"])
    const interim = message(["HTTP/1.1 103 Early Hints", `X: ${"x".repeat(2000)}`])
    const target = answering([interim, dropped])
    const log = sessions()
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send("GET http://target.example HTTP/1.0\r\n\r\n")
      assert.isBelow((yield* client.rest).length, 300)
      yield* client.end
      yield* settled
      const [{ sent, received } = {}] = log.of()
      assert.strictEqual(received, interim.length + dropped.length)
      assert.strictEqual(sent, target.heads[0]!.length)
    }).pipe(Effect.provide(Layer.merge(target.served(), log.logs)))
  })

  it.effect("of this server's own answers count, too, and those of a CONNECT that fails", () => {
    const log = sessions()
    return Effect.gen(function* () {
      const client = yield* connect
      const head = message(["CONNECT target.example:0 HTTP/1.1", "Host: a", `X: ${"x".repeat(1000)}`])
      yield* client.send(head)
      const answer = yield* client.rest
      yield* client.end
      yield* settled
      assert.deepInclude(log.of()[0]!, { status: 400, sent: head.length, received: answer.length })
    }).pipe(Effect.provide(Layer.merge(layer(), log.logs)))
  })

  it.effect("of heads count for a quota", () => {
    const target = answering(message(["HTTP/1.1 200 OK", `X: ${"x".repeat(4000)}`, "Content-Length: 0"]))
    return Effect.gen(function* () {
      const client = yield* connect
      const request = get("/", credentials, `X: ${"x".repeat(4000)}`)
      yield* client.send([...request, ...request, ...request])
      assert.strictEqual((yield* receive(client)).status, 200)
      assert.strictEqual((yield* receive(client)).status, 200)
      assert.strictEqual((yield* receive(client)).status, 429)
      assert.strictEqual(target.heads.length, 2)
    }).pipe(Effect.provide(target.served({ ...asAlice, config: { dailyQuota: 10 * 1024 } })))
  })

  for (const [way, request, response] of [
    ["upload", get("/", `X: ${"x".repeat(20_000)}`), ok],
    ["download", get(), message(["HTTP/1.1 200 OK", `X: ${"x".repeat(20_000)}`, "Content-Length: 0"])]
  ] as const) {
    it.effect(`of heads count for bandwidth: ${way}`, () => {
      const target = answering(response)
      const bandwidthUser = { upload: Infinity, download: Infinity, [way]: 10_000 }
      return Effect.gen(function* () {
        const client = yield* connect
        let answered = 0
        const fiber = yield* Effect.forkScoped(
          Effect.gen(function* () {
            for (; ; answered++) {
              yield* client.send(request)
              yield* receive(client)
            }
          })
        )
        for (let step = 0; step < 200; step++) {
          yield* TestClock.adjust("100 millis")
          yield* settled
        }
        yield* Fiber.interrupt(fiber)
        // 20 seconds at 10,000 bytes a second, and what may pass at the beginning.
        assert.isAtLeast(answered, 8)
        assert.isAtMost(answered, 12)
      }).pipe(Effect.provide(target.served({ config: { bandwidthUser } })))
    })
  }
})

describe("a message of the target", () => {
  it.effect("with a control byte in its reason is passed on without the reason", () => {
    const target = answering(message(["HTTP/1.1 404 Not\x01 here", "Content-Length: 2"], "no"))
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(get())
      const { start, body } = yield* receive(client)
      assert.strictEqual(start, "HTTP/1.1 404 Not Found")
      assert.strictEqual(body, "no")
    }).pipe(Effect.provide(target.served()))
  })

  const interim = message(["HTTP/1.1 100 Continue"])

  it.effect("before its response is passed on once", () => {
    const target = answering([interim, interim, interim, ok])
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(get("/", "Connection: close"))
      assert.strictEqual((yield* receive(client)).status, 100)
      assert.strictEqual((yield* receive(client)).status, 200)
    }).pipe(Effect.provide(target.served()))
  })

  it.effect("before its response is not for HTTP/1.0", () => {
    const target = answering([interim, ok])
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send("GET http://target.example/ HTTP/1.0\r\n\r\n")
      assert.strictEqual((yield* receive(client)).status, 200)
    }).pipe(Effect.provide(target.served()))
  })

  it.effect("with endless interim responses is no response", () => {
    const target = answering(Array(20).fill(interim))
    const log = sessions()
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(get("/", "Connection: close"))
      assert.strictEqual((yield* receive(client)).status, 100)
      assert.strictEqual((yield* receiveAll(client)).status, 502)
      yield* client.end
      yield* settled
      assert.deepInclude(log.of()[0]!, { outcome: "BadResponse", reason: "too many interim responses" })
    }).pipe(Effect.provide(Layer.merge(target.served(), log.logs)))
  })
})

describe("Expect", () => {
  it.effect("does not bypass the login", () =>
    Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(get("/", "Expect: other", "Connection: close"))
      assert.strictEqual((yield* receiveAll(client)).status, 407)
    }).pipe(Effect.provide(layer(asAlice)))
  )

  it.effect("with an unknown expectation is answered by the target", () => {
    const target = answering(message(["HTTP/1.1 417 No", "Content-Length: 0"]))
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(get("/", "Expect: other"))
      assert.strictEqual((yield* receive(client)).start, "HTTP/1.1 417 No")
      assert.include(target.heads[0]!, "\r\nExpect: other\r\n")
    }).pipe(Effect.provide(target.served()))
  })
})
