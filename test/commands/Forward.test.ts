/**
 * Requests made in a client's place: bodies, trailers and interim responses in
 * both directions, and every way in which one can break off.
 */
import type { Duplex } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { TestClock } from "effect/testing"
import { Dialer } from "../../src/network/Dialer.ts"
import { connect, dialer, layer, type Peer, type Replacements } from "../../src/testing/index.ts"
import { message, receive, receiveAll, text } from "../support/http.ts"
import { settled } from "../support/streams.ts"

const head = (method: string, ...fields: ReadonlyArray<string>) => [
  `${method} http://target.example/ HTTP/1.1`,
  "Host: target.example",
  ...fields
]

/** The server with one target, which is the test's to play once it is connected to. */
const withTarget = <A, E, R>(
  test: (target: Effect.Effect<Peer>) => Effect.Effect<A, E, R>,
  replacements: Replacements = {}
) =>
  Effect.suspend(() => {
    const connected = Deferred.makeUnsafe<Peer>()
    const targets = dialer((target) => Deferred.doneUnsafe(connected, Effect.succeed(target)))
    return test(Deferred.await(connected)).pipe(Effect.provide(layer({ ...replacements, dialer: targets })))
  })

/** What a test has of its log lines. */
const logged = (lines: Array<Record<string, unknown>>) =>
  Logger.layer([
    Logger.make(({ message }) => {
      const [text, fields] = message as [string, Record<string, unknown>]
      if (text === "session") lines.push(fields)
    })
  ])

describe("bodies", () => {
  for (const method of ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PROPFIND"]) {
    it.effect(`${method} without one`, () =>
      withTarget((connected) =>
        Effect.gen(function* () {
          const client = yield* connect
          yield* client.send(message(head(method)))
          const target = yield* connected
          const { start, fields } = yield* receive(target)
          assert.strictEqual(start, `${method} / HTTP/1.1`)
          assert.isUndefined(fields["transfer-encoding"])
          assert.strictEqual(fields["content-length"], /P/.test(method[0]!) ? "0" : undefined)
          yield* target.send(message(["HTTP/1.1 200 OK", "Content-Length: 0"]))
          assert.strictEqual((yield* receive(client)).status, 200)
        })
      )
    )
  }

  it.effect("of a known length, to the target and back", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(message(head("POST", "Content-Length: 5"), "hello"))
        const target = yield* connected
        const request = yield* receive(target)
        assert.strictEqual(request.fields["content-length"], "5")
        assert.strictEqual(request.body, "hello")
        yield* target.send(message(["HTTP/1.1 201 Made", "Content-Length: 3"], "bye"))
        const { start, body } = yield* receive(client)
        assert.strictEqual(start, "HTTP/1.1 201 Made")
        assert.strictEqual(body, "bye")
      })
    )
  )

  it.effect("in chunks, with trailers behind them", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(
          message(
            head("POST", "Transfer-Encoding: chunked", "Connection: close"),
            "5\r\nhello\r\n0\r\nSum: 1\r\nHost: evil\r\n\r\n"
          )
        )
        const target = yield* connected
        const request = yield* receive(target)
        assert.strictEqual(request.fields["transfer-encoding"], "chunked")
        assert.isUndefined(request.fields["content-length"])
        const body = "5\r\nhello\r\n0\r\nSum: 1\r\n\r\n"
        assert.strictEqual(text(yield* target.receive(body.length)), body)
        yield* target.send(
          message(
            ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Trailer: Sum"],
            "3\r\nbye\r\n0\r\nSum: 2\r\nSet-Cookie: a=b\r\n\r\n"
          )
        )
        const response = yield* receiveAll(client)
        assert.strictEqual(response.fields.trailer, "Sum")
        assert.strictEqual(response.body, "3\r\nbye\r\n0\r\nSum: 2\r\n\r\n")
      })
    )
  )

  it.effect("that ends with the target's connection: chunks for HTTP/1.1, the end for HTTP/1.0", () =>
    Effect.gen(function* () {
      for (const [version, body] of [
        ["1.1", "5\r\nhello\r\n0\r\n\r\n"],
        ["1.0", "hello"]
      ] as const) {
        yield* withTarget((connected) =>
          Effect.gen(function* () {
            const client = yield* connect
            yield* client.send(
              message([`GET http://target.example/ HTTP/${version}`, "Host: a", "Connection: close"])
            )
            const target = yield* connected
            yield* receive(target)
            yield* target.send(message(["HTTP/1.0 200 OK"], "hello"))
            yield* target.end
            const response = yield* receiveAll(client)
            assert.strictEqual(response.body, body)
            assert.match(response.fields.via!, /^1\.0 /)
            assert.strictEqual(yield* client.ending, "end")
          })
        )
      }
    })
  )

  for (const [status, method] of [
    [204, "GET"],
    [304, "GET"],
    [200, "HEAD"]
  ] as const) {
    it.effect(`none behind ${status} to ${method}, whatever its length says`, () =>
      withTarget((connected) =>
        Effect.gen(function* () {
          const client = yield* connect
          yield* client.send(message(head(method)))
          const target = yield* connected
          yield* receive(target)
          yield* target.send(message([`HTTP/1.1 ${status} Fine`, "Content-Length: 7", "ETag: x"]))
          const expected = `HTTP/1.1 ${status} Fine\r\n`
          assert.strictEqual(text(yield* client.receive(expected.length)), expected)
          yield* settled
          yield* client.send(message(["GET / HTTP/1.1", "Host: a"]))
          const [fields, next] = text(yield* client.rest).split("\r\n\r\n")
          assert.include(fields, "ETag: x")
          assert.strictEqual(/Content-Length: 7/.test(fields!), status !== 204)
          assert.match(next!, /^HTTP\/1\.1 400 /)
        })
      )
    )
  }
})

describe("Expect: 100-continue", () => {
  it.effect("is answered by the target", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(message(head("POST", "Content-Length: 5", "Expect: 100-continue")))
        const target = yield* connected
        const expected = /\r\nExpect: 100-continue\r\n/
        let seen = ""
        while (!seen.endsWith("\r\n\r\n")) seen += text(yield* target.receive(1))
        assert.match(seen, expected)
        yield* target.send("HTTP/1.1 100 Continue\r\n\r\n")
        assert.strictEqual((yield* receive(client)).status, 100)
        yield* client.send("hello")
        assert.strictEqual(text(yield* target.receive(5)), "hello")
        yield* target.send(message(["HTTP/1.1 200 OK", "Content-Length: 0"]))
        assert.strictEqual((yield* receive(client)).status, 200)
      })
    )
  )

  it.effect("with a body that the target did not want ends the connection", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(message(head("POST", "Content-Length: 5", "Expect: 100-continue")))
        const target = yield* connected
        yield* target.receive(10)
        yield* target.send(message(["HTTP/1.1 417 No", "Content-Length: 0"]))
        assert.strictEqual((yield* receiveAll(client)).status, 417)
      })
    )
  )
})

describe("an incomplete message", () => {
  it.effect("a client in its body: the target's connection is reset", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(message(head("POST", "Content-Length: 50"), "hello"))
        const target = yield* connected
        yield* target.receive(10)
        yield* client.reset
        assert.strictEqual(yield* target.ending, "reset")
      })
    )
  )

  it.effect("a client that ends in its body: the target is told, and decides", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(message(head("POST", "Content-Length: 50"), "hello"))
        const target = yield* connected
        yield* client.end
        assert.match(text(yield* target.rest), /\r\n\r\nhello$/)
        assert.strictEqual(yield* target.ending, "end")
        yield* target.send(message(["HTTP/1.1 400 Too short", "Content-Length: 3"], "no!"))
        const { start, fields, body } = yield* receiveAll(client)
        assert.deepStrictEqual([start, fields.connection, body], ["HTTP/1.1 400 Too short", "close", "no!"])
      })
    )
  )

  it.effect("a malformed chunk after good ones: the target's connection is reset", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(message(head("POST", "Transfer-Encoding: chunked"), "5\r\nhello\r\n"))
        const target = yield* connected
        yield* receive(target)
        assert.strictEqual(text(yield* target.receive(10)), "5\r\nhello\r\n")
        yield* client.send("nonsense\r\n")
        assert.strictEqual((yield* receiveAll(client)).status, 400)
        assert.strictEqual(text(yield* target.rest), "")
        assert.strictEqual(yield* target.ending, "reset")
      })
    )
  )

  for (const [what, start] of [
    ["of a known length", message(["HTTP/1.1 200 OK", "Content-Length: 50"], "hello")],
    ["in chunks", message(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], "5\r\nhello\r\n")],
    ["without a length", message(["HTTP/1.1 200 OK"], "hello")]
  ] as const) {
    it.effect(`a response ${what}: the client's connection is reset`, () => {
      const lines: Array<Record<string, unknown>> = []
      return withTarget((connected) =>
        Effect.gen(function* () {
          const client = yield* connect
          yield* client.send(message(head("GET")))
          const target = yield* connected
          yield* receive(target)
          yield* target.send(start)
          yield* client.receive(10)
          yield* target.reset
          assert.strictEqual(yield* client.ending, "reset")
          yield* settled
          assert.deepInclude(lines[0]!, { outcome: "target reset", status: 200 })
          assert.isAbove(Number(lines[0]!.received), start.length)
        })
      ).pipe(Effect.provide(logged(lines)))
    })
  }

  it.effect("a response before its head is whole: 502", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(message(head("GET", "Connection: close")))
        const target = yield* connected
        yield* target.receive(10)
        yield* target.send("HTTP/1.1 200 OK\r\nX-")
        yield* target.end
        assert.strictEqual((yield* receiveAll(client)).status, 502)
      })
    )
  )

  it.effect("a response that switches protocols, unasked: 502", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(message(head("GET", "Connection: close, Upgrade", "Upgrade: h2c")))
        const target = yield* connected
        const { fields } = yield* receive(target)
        assert.isUndefined(fields.upgrade)
        yield* target.send(
          message(["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket"])
        )
        assert.strictEqual((yield* receiveAll(client)).status, 502)
      })
    )
  )

  it.effect("a response that stops", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(message(head("GET")))
        const target = yield* connected
        yield* receive(target)
        yield* target.send(message(["HTTP/1.1 200 OK", "Content-Length: 50"], "hello"))
        yield* client.receive(10)
        yield* TestClock.adjust("30 minutes")
        assert.strictEqual(yield* client.ending, "reset")
      })
    )
  )

  it.effect("a target while the request waits for its bandwidth: 502, long before the idle timeout", () =>
    withTarget(
      (connected) =>
        Effect.gen(function* () {
          const client = yield* connect
          yield* client.send(message(head("GET", `X: ${"x".repeat(20_000)}`)))
          const target = yield* connected
          yield* settled
          yield* target.reset
          yield* settled
          yield* TestClock.adjust("20 seconds")
          assert.strictEqual((yield* receive(client)).status, 502)
        }),
      { config: { bandwidthUser: { upload: 10_000, download: Infinity } } }
    )
  )

  it.effect("a client while its target is being connected to", () => {
    const started = Deferred.makeUnsafe<void>()
    const stopped = Deferred.makeUnsafe<void>()
    const dialing = Layer.succeed(Dialer, {
      connect: () => {
        Deferred.doneUnsafe(started, Effect.void)
        return Effect.onInterrupt(Effect.never, () => Deferred.succeed(stopped, undefined))
      }
    })
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(message(head("GET")))
      yield* Deferred.await(started)
      yield* client.reset
      yield* Deferred.await(stopped)
    }).pipe(Effect.provide(layer({ dialer: dialing })))
  })
})

/** Sends as long as it is let, and tells how much that was. */
const flood = Effect.fnUntraced(function* (duplex: Duplex) {
  let total = 0
  for (let turn = 0; turn < 30; turn++) {
    if (!duplex.writableNeedDrain) {
      duplex.write(Buffer.alloc(1_000_000))
      total += 1_000_000
    }
    yield* settled
  }
  return total
})

describe("backpressure", () => {
  it.effect("a client that does not read stops the target's sending", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(message(head("GET")))
        client.duplex.removeAllListeners("data").pause()
        const target = yield* connected
        yield* receive(target)
        yield* target.send(message(["HTTP/1.1 200 OK", "Content-Length: 100000000"]))
        assert.isAtMost(yield* flood(target.duplex), 4_000_000)
      })
    )
  )

  it.effect("a target that does not read stops the client's sending", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(message(head("POST", "Content-Length: 100000000")))
        const target = yield* connected
        target.duplex.removeAllListeners("data").pause()
        assert.isAtMost(yield* flood(client.duplex), 4_000_000)
      })
    )
  )
})

it.effect("a client that has sent FIN still gets its answer", () =>
  withTarget((connected) =>
    Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(message(head("GET")))
      yield* client.end
      const target = yield* connected
      yield* receive(target)
      yield* settled
      yield* target.send(message(["HTTP/1.1 200 OK", "Content-Length: 5"], "hello"))
      assert.strictEqual((yield* receiveAll(client)).body, "hello")
    })
  )
)

it.effect("Every request is a session of its own: counted, and a line in the log", () => {
  const lines: Array<Record<string, unknown>> = []
  return Effect.gen(function* () {
    const client = yield* connect
    for (const path of ["a", "b"]) {
      yield* client.send(message([`GET http://target.example/${path} HTTP/1.1`, "Host: target.example"]))
      assert.strictEqual((yield* receive(client)).body, "hello")
      yield* TestClock.adjust("5 seconds")
    }
    yield* client.end
    yield* client.rest
    yield* settled
    const common = { protocol: "HTTP", command: "FORWARD", target: "target.example:80", outcome: "finished" }
    assert.deepStrictEqual(
      lines.map(({ protocol, command, target, outcome }) => ({ protocol, command, target, outcome })),
      [common, common]
    )
    for (const line of lines) {
      assert.deepInclude(line, { status: 200, duration: 0, address: "192.0.2.1:80" })
    }
    assert.notStrictEqual(lines[0]!.id, lines[1]!.id)
  }).pipe(
    Effect.provide(
      Layer.mergeAll(
        logged(lines),
        layer({
          config: { maxSessions: 1 },
          dialer: dialer(({ duplex }) =>
            duplex.on("data", () => duplex.write(message(["HTTP/1.1 200 OK", "Content-Length: 5"], "hello")))
          )
        })
      )
    )
  )
})

it.effect.each([
  ["Negotiate", "keep-alive, Proxy-Support", "Session-Based-Authentication"],
  ["NTLM", "keep-alive, Proxy-Support", "Session-Based-Authentication"],
  ["Basic realm=a", "keep-alive", undefined]
] as const)(
  "a client that is to authenticate by %s hears that its connection is its own",
  ([scheme, connection, support]) =>
    Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(message(["GET http://target.example/ HTTP/1.1", "Host: a"]))
      const { status, fields } = yield* receive(client)
      assert.deepStrictEqual(
        [status, fields["www-authenticate"], fields.connection, fields["proxy-support"]],
        [401, scheme, connection, support]
      )
    }).pipe(
      Effect.provide(
        layer({
          dialer: dialer(({ duplex }) =>
            duplex.once("data", () =>
              duplex.write(message(["HTTP/1.1 401 No", `WWW-Authenticate: ${scheme}`, "Content-Length: 0"]))
            )
          )
        })
      )
    )
)

describe("bytes above 0x7f", () => {
  it.effect("pass as they came, in targets, values and reasons", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(
          message(["GET http://target.example/\xe9?\xff HTTP/1.1", "Host: a", "X-Name: \xc3\xa9\xa0"])
        )
        const target = yield* connected
        const request = yield* receive(target)
        assert.strictEqual(request.start, "GET /\xe9?\xff HTTP/1.1")
        assert.strictEqual(request.fields["x-name"], "\xc3\xa9\xa0")
        const disposition = 'attachment; filename="\xc3\xa9\x80.txt"'
        yield* target.send(
          message(["HTTP/1.1 200 Tr\xe8s bien", `Content-Disposition: ${disposition}`, "Content-Length: 0"])
        )
        const { start, fields } = yield* receive(client)
        assert.deepStrictEqual(
          [start, fields["content-disposition"]],
          ["HTTP/1.1 200 Tr\xe8s bien", disposition]
        )
      })
    )
  )
})

describe("interim responses", () => {
  it.effect("are passed on with their fields", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(message(head("GET")))
        const target = yield* connected
        yield* receive(target)
        const hints = ["HTTP/1.1 103 Early Hints", "Link: </style.css>; rel=preload", "Connection: X", "X: y"]
        yield* target.send(message(["HTTP/1.1 102 Processing"]))
        yield* target.send(message(hints))
        yield* target.send(message(hints))
        yield* target.send(message(["HTTP/1.1 200 OK", "Content-Length: 2"], "ok"))
        assert.strictEqual((yield* receive(client)).status, 102)
        for (const _ of "12") {
          const { start, fields } = yield* receive(client)
          assert.strictEqual(start, "HTTP/1.1 103 Early Hints")
          assert.deepStrictEqual(Object.keys(fields), ["link", "via"])
        }
        assert.strictEqual((yield* receive(client)).body, "ok")
      })
    )
  )
})

describe("a request", () => {
  for (const lengths of [["Content-Length: 5", "Content-Length: 5"], ["Content-Length: 5, 5"]]) {
    it.effect(`with the same length in ${lengths.length} lines has that length`, () =>
      withTarget((connected) =>
        Effect.gen(function* () {
          const client = yield* connect
          yield* client.send(message(head("POST", ...lengths), "hello"))
          const target = yield* connected
          const { fields, body } = yield* receive(target)
          assert.deepStrictEqual([fields["content-length"], body], ["5", "hello"])
          yield* target.send(message(["HTTP/1.1 200 OK", ...lengths], "hello"))
          const response = yield* receive(client)
          assert.deepStrictEqual([response.fields["content-length"], response.body], ["5", "hello"])
        })
      )
    )
  }

  it.effect("may have an unknown method, and empty lines before it", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send("\r\n\r\n")
        yield* client.send(message(head("Frobnicate!")))
        const target = yield* connected
        assert.strictEqual((yield* receive(target)).start, "Frobnicate! / HTTP/1.1")
      })
    )
  )

  it.effect("of OPTIONS is forwarded as often as Max-Forwards allows", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(message(head("OPTIONS", "Max-Forwards: 0")))
        const own = yield* receive(client)
        assert.strictEqual(own.status, 200)
        assert.include(own.fields.allow, "CONNECT")
        yield* client.send(message(head("OPTIONS", "Max-Forwards: 2")))
        assert.strictEqual((yield* receive(yield* connected)).fields["max-forwards"], "1")
      })
    )
  )
})

describe("an upgrade to WebSocket", () => {
  const asking = ["Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"]

  for (const scheme of ["http", "ws"]) {
    it.effect(`by ${scheme}: is a tunnel`, () => {
      const lines: Array<Record<string, unknown>> = []
      return withTarget((connected) =>
        Effect.gen(function* () {
          const client = yield* connect
          yield* client.send(
            message(
              [`GET ${scheme}://target.example/chat HTTP/1.1`, "Host: target.example", ...asking],
              "early"
            )
          )
          const target = yield* connected
          const { fields } = yield* receive(target)
          assert.deepStrictEqual([fields.connection, fields.upgrade], ["Upgrade", "websocket"])
          assert.strictEqual(fields["sec-websocket-key"], "x")
          const accepted = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: y"]
          yield* target.send(message(["HTTP/1.1 101 Switching Protocols", ...accepted], "late"))
          const response = yield* receive(client)
          assert.strictEqual(response.status, 101)
          assert.deepStrictEqual(
            [response.fields.connection, response.fields.upgrade, response.fields["sec-websocket-accept"]],
            ["Upgrade", "websocket", "y"]
          )
          assert.strictEqual(text(yield* client.receive(4)), "late")
          assert.strictEqual(text(yield* target.receive(5)), "early")
          yield* client.end
          assert.strictEqual(text(yield* target.rest), "")
          yield* target.send("still")
          yield* target.end
          assert.strictEqual(text(yield* client.rest), "still")
          yield* settled
          assert.deepInclude(lines[0]!, { status: 101, outcome: "finished" })
        })
      ).pipe(Effect.provide(logged(lines)))
    })
  }

  it.effect("that the target does not want is an ordinary response", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(message(head("GET", ...asking)))
        const target = yield* connected
        yield* receive(target)
        yield* target.send(message(["HTTP/1.1 426 No", "Content-Length: 2"], "no"))
        assert.strictEqual((yield* receive(client)).body, "no")
      })
    )
  )
})

describe("an answer before the request is whole", () => {
  it.effect("is passed on at once, and the request continues as long as the target reads it", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(message(head("POST", "Content-Length: 1000"), "x".repeat(100)))
        const target = yield* connected
        let asked = ""
        while (!asked.endsWith("\r\n\r\n")) asked += text(yield* target.receive(1))
        assert.notMatch(asked, /connection: close/i)
        yield* target.send(message(["HTTP/1.1 200 OK", "Content-Length: 2"], "ok"))
        const { body, fields } = yield* receive(client)
        assert.deepStrictEqual([body, fields.connection], ["ok", "keep-alive"])
        yield* client.send("x".repeat(900))
        assert.strictEqual((yield* target.receive(1000)).length, 1000)
        yield* settled
        yield* client.send(message(["GET / HTTP/1.1", "Host: a"]))
        assert.strictEqual((yield* receive(client)).status, 400)
      })
    )
  )

  it.effect("ends the exchange when the target closes", () =>
    withTarget((connected) =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(message(head("POST", "Content-Length: 1000000"), "x".repeat(100)))
        const target = yield* connected
        yield* target.receive(10)
        yield* target.send(message(["HTTP/1.1 413 Too long", "Content-Length: 2"], "no"))
        yield* target.end
        const { start, body } = yield* receiveAll(client)
        assert.deepStrictEqual([start, body], ["HTTP/1.1 413 Too long", "no"])
      })
    )
  )
})
