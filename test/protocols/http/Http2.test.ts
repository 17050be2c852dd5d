/**
 * HTTP/2 to clients: tunnels and requests, each stream a session of its own.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { Authenticator } from "../../../src/auth/Authenticator.ts"
import * as Errors from "../../../src/Errors.ts"
import { SessionRegistry } from "../../../src/session/SessionRegistry.ts"
import { dialer, failingDialer, layer, type Peer } from "../../../src/testing/index.ts"
import { message, text } from "../../support/http.ts"
import { ask, block, dial, dialFrames, dialTls, frame, preface, Type, tunnel } from "../../support/http2.ts"
import { settled } from "../../support/streams.ts"

const asAlice = {
  authenticator: Authenticator.layerUsers([{ name: "alice", password: Redacted.make("secret") }])
}
const credentials = { "proxy-authorization": `Basic ${btoa("alice:secret")}` }

const get = (path = "/", fields = {}) => ({
  ":method": "GET",
  ":scheme": "http",
  ":authority": "target.example",
  ":path": path,
  ...fields
})

/** A target that answers each request, whose body is as long as it says or in chunks, with these bytes. */
const answering = (bytes: Uint8Array) => {
  const requests: Array<string> = []
  return {
    requests,
    dialer: dialer(({ duplex }: Peer) => {
      let seen = ""
      duplex.on("data", (chunk: Buffer) => {
        seen += chunk.toString("latin1")
        if (!/\r\n\r\n/.test(seen) || (/chunked/.test(seen) && !/\r\n0\r\n(.+\r\n)*\r\n$/.test(seen))) return
        requests.push(seen)
        seen = ""
        duplex.write(bytes)
      })
    })
  }
}

describe("CONNECT", () => {
  it.effect("opens a tunnel for each stream, of which each end ends by itself", () =>
    Effect.gen(function* () {
      const session = yield* dial()
      const first = yield* tunnel(session, "target.example:443")
      const second = yield* tunnel(session, "target.example:443")
      assert.deepStrictEqual([first.status, second.status], [200, 200])
      yield* second.send("second")
      yield* first.send("first")
      yield* first.end
      assert.strictEqual(text(yield* first.rest), "first")
      assert.strictEqual(text(yield* second.receive(6)), "second")
      const { list } = yield* SessionRegistry
      yield* settled
      assert.deepStrictEqual(
        (yield* list).map(({ admitted }) => admitted?.request.command),
        [undefined, "CONNECT"]
      )
    }).pipe(Effect.provide(layer()))
  )

  it.effect("replies with the reason of a failure, and the connection stays", () =>
    Effect.gen(function* () {
      const session = yield* dial()
      for (let i = 0; i < 2; i++) {
        const { status, fields, body, code } = yield* ask(session, {
          ":method": "CONNECT",
          ":authority": "target.example:443"
        })
        assert.deepStrictEqual([status, body, code], [502, "effect-socks: connection refused\n", 0])
        assert.strictEqual(fields["proxy-status"], "effect-socks; error=connection_refused")
      }
    }).pipe(Effect.provide(layer({ dialer: failingDialer(new Errors.ConnectionRefused()) })))
  )

  it.effect("passes on a reset of either side, without an effect on other streams", () => {
    const targets: Array<Peer> = []
    return Effect.gen(function* () {
      const session = yield* dial()
      const other = yield* tunnel(session, "target.example:1")
      const cut = yield* tunnel(session, "target.example:2")
      const broken = yield* tunnel(session, "target.example:3")
      yield* targets[1]!.reset
      yield* cut.ending
      yield* settled
      assert.strictEqual(cut.stream.rstCode, 10)
      broken.stream.destroy()
      assert.strictEqual(yield* targets[2]!.ending, "reset")
      yield* targets[0]!.send("still")
      assert.strictEqual(text(yield* other.receive(5)), "still")
    }).pipe(Effect.provide(layer({ dialer: dialer((target) => targets.push(target)) })))
  })
})

describe("FORWARD", () => {
  it.effect("forwards a request as HTTP/1", () => {
    const target = answering(message(["HTTP/1.1 200 OK", "Content-Length: 5", "X-A: \u00e9"], "hello"))
    return Effect.gen(function* () {
      const session = yield* dial()
      const headers = get("/a?b=\u00e9", { cookie: ["a=1", "b=2"], te: "trailers", "x-a": ["1", "2"] })
      const { status, fields, body, code } = yield* ask(session, headers)
      assert.deepStrictEqual([status, body, code], [200, "hello", 0])
      assert.strictEqual(fields["content-length"], "5")
      const [request] = target.requests
      assert.match(
        request!,
        /^GET \/a\?b=\u00e9 HTTP\/1\.1\r\nHost: target\.example\r\nx-a: 1\r\nx-a: 2\r\ncookie: a=1; b=2\r\nVia: 2 \S+\r\n\r\n$/
      )
    }).pipe(Effect.provide(layer({ dialer: target.dialer })))
  })

  it.effect("passes bodies, interim responses and trailers both ways", () => {
    const answer = message(
      ["HTTP/1.1 103 Early Hints", "Link: </a>"],
      text(message(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"))
    )
    const target = answering(answer)
    return Effect.gen(function* () {
      const session = yield* dial()
      const { status, interim, trailers, body } = yield* ask(
        session,
        get("/", { ":method": "POST" }),
        (stream) => {
          stream.write("one")
          setImmediate(() => stream.end("two"))
        }
      )
      assert.deepStrictEqual([status, interim, body, trailers["x-sum"]], [200, [103], "hello", "1"])
      assert.match(
        target.requests[0]!,
        /Transfer-Encoding: chunked\r\n\r\n[\s\S]*one[\s\S]*two\r\n0\r\n\r\n$/
      )
    }).pipe(Effect.provide(layer({ dialer: target.dialer })))
  })

  it.effect("does not return an incomplete response as a complete one", () => {
    const dialled = dialer(({ duplex }: Peer) => {
      duplex.once("data", () => {
        duplex.write(message(["HTTP/1.1 200 OK", "Content-Length: 500"], "half"))
        setImmediate(() => duplex.end())
      })
    })
    return Effect.gen(function* () {
      const session = yield* dial()
      const { status, code } = yield* ask(session, get())
      assert.deepStrictEqual([status, code], [200, 2])
    }).pipe(Effect.provide(layer({ dialer: dialled })))
  })
})

describe("a login", () => {
  it.effect("is needed on each stream, and five refused logins end the connection", () =>
    Effect.gen(function* () {
      const session = yield* dial()
      const first = yield* ask(session, get())
      assert.strictEqual(first.status, 407)
      assert.match(String(first.fields["proxy-authenticate"]), /^Basic realm/)
      const { status } = yield* tunnel(session, "target.example:443", credentials)
      assert.strictEqual(status, 200)
      for (let i = 0; i < 4; i++) assert.strictEqual((yield* ask(session, get())).status, 407)
      yield* settled
      assert.isTrue(session.closed)
    }).pipe(Effect.provide(layer(asAlice)))
  )
})

/** Requests of HTTP/2 that would be several, or others, in HTTP/1. Node and its HTTP/2 library refuse some of them themselves. */
const smuggled = {
  "a line end in the path": get("/ HTTP/1.1\r\nX: y\r\n\r\nGET /b"),
  "a space in the path": get("/a HTTP/1.1"),
  "a path in the authority": get("/", { ":authority": "target.example/a?" }),
  "user information in the authority": get("/", { ":authority": "allowed.example@target.example" }),
  "another Host": get("/", { host: "other.example" }),
  "another scheme": get("/", { ":scheme": "https" }),
  "a space in the method": get("/", { ":method": "GET /b HTTP/1.1" }),
  "Content-Length without a body": get("/", { "content-length": "5" }),
  "a length that is no number": get("/", { ":method": "POST", "content-length": "+5" })
}

describe("smuggling", () => {
  for (const [what, headers] of Object.entries(smuggled)) {
    it.effect(`refuses ${what}, and forwards nothing`, () => {
      const target = answering(message(["HTTP/1.1 200 OK", "Content-Length: 0"]))
      return Effect.gen(function* () {
        const session = yield* dial()
        const { status, code } = yield* ask(session, headers)
        assert.isTrue(status === 400 || code !== 0, `${status} ${code}`)
        yield* settled
        assert.deepStrictEqual(target.requests, [])
      }).pipe(Effect.provide(layer({ dialer: target.dialer })))
    })
  }

  // Node's HTTP/2 library ignores such a field.
  it.effect("passes on no field with a line end in its value", () => {
    const target = answering(message(["HTTP/1.1 200 OK", "Content-Length: 0"]))
    return Effect.gen(function* () {
      const session = yield* dial()
      yield* ask(session, get("/", { "x-a": "1\r\nX-B: 2" }))
      assert.isFalse(target.requests.some((request) => /x-b/i.test(request)))
    }).pipe(Effect.provide(layer({ dialer: target.dialer })))
  })

  it.effect("sends exactly the length of a body", () => {
    const target = answering(message(["HTTP/1.1 200 OK", "Content-Length: 0"]))
    return Effect.gen(function* () {
      const session = yield* dial()
      const post = get("/", { ":method": "POST", "content-length": "4" })
      const long = yield* ask(session, post, (stream) => stream.end("GET / HTTP/1.1\r\n\r\n"))
      const short = yield* ask(session, post, (stream) => stream.end("abc"))
      assert.isTrue(long.code !== 0 && short.code !== 0, `${long.code} ${short.code}`)
      yield* settled
      assert.isFalse(target.requests.some((request) => request.includes("GET")))
    }).pipe(Effect.provide(layer({ dialer: target.dialer })))
  })
})

describe("bounds", () => {
  it.effect("too many fields, and a head that is too large, are refused", () =>
    Effect.gen(function* () {
      const session = yield* dial()
      const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`x-${i}`, "1"]))
      assert.strictEqual((yield* ask(session, get("/", many))).status, 431)
    }).pipe(Effect.provide(layer()))
  )

  const head = block(get())
  const cancel = Buffer.from([0, 0, 0, 8])
  const endStream = 1
  const endHeaders = 4
  /** The literal field `a`, to be kept, with a value of 4,000 bytes. */
  const kept = Buffer.concat([Buffer.from([0x40, 1, 0x61, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4000, "x")])
  const full = Buffer.from([255])
  const open = (i: number) =>
    i === 0 ? frame(Type.HEADERS, endHeaders, 1, block({ ...get(), ":method": "POST" })) : Buffer.alloc(0)
  const floods = {
    "of resets": (i: number) => [
      frame(Type.HEADERS, endStream | endHeaders, 2 * i + 1, head),
      frame(Type.RST_STREAM, 0, 2 * i + 1, cancel)
    ],
    "of resets that this server is made to send": (i: number) => [
      frame(Type.HEADERS, endHeaders, 2 * i + 1, head),
      frame(Type.WINDOW_UPDATE, 0, 2 * i + 1, Buffer.alloc(4))
    ],
    "of CONTINUATION": (i: number) => [
      i === 0 ? frame(Type.HEADERS, 0, 1, head) : frame(Type.CONTINUATION, 0, 1, block({ x: "1" }))
    ],
    "of fields": (i: number) => [
      i === 0
        ? frame(Type.HEADERS, 0, 1, head)
        : frame(Type.CONTINUATION, 0, 1, block({ x: "1".repeat(120) }))
    ],
    "of streams": (i: number) => [frame(Type.HEADERS, endHeaders, 2 * i + 1, head)],
    "of heads that are none": (i: number) => [frame(Type.HEADERS, 5, 2 * i + 1, block({ ":none": "1" }))],
    // A field of 4 KB that later heads name in a byte each (RFC 7541 \u00a76.1).
    "of compressed fields": (i: number) => [
      frame(Type.HEADERS, 5, 2 * i + 1, Buffer.concat([head, i === 0 ? kept : Buffer.alloc(1000, 0xbe)]))
    ],
    "of empty DATA": (i: number) => [open(i), frame(Type.DATA, 0, 1, Buffer.alloc(0))],
    "of padding": (i: number) => [open(i), frame(Type.DATA, 8, 1, Buffer.concat([full, Buffer.alloc(255)]))],
    "of DATA of a byte": (i: number) => [open(i), frame(Type.DATA, 0, 1, Buffer.alloc(1))],
    "of room for a byte": (i: number) => [
      open(i),
      ...[0, 1].map((stream) => frame(Type.WINDOW_UPDATE, 0, stream, Buffer.from([0, 0, 0, 1])))
    ],
    "of windows that open and shut": (i: number) => [
      open(i),
      frame(Type.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, i % 2, 0]))
    ],
    "of priorities": (i: number) => [frame(2, 0, 2 * i + 1, Buffer.from([0, 0, 0, 1, i & 0xff]))],
    "of frames of no known type": (i: number) => [frame(0x20 + (i % 200), 0xff, i % 3, Buffer.alloc(9))],
    "of GOAWAY": () => [frame(Type.GOAWAY, 0, 0, Buffer.alloc(100))],
    "of settings and pings whose answers are not read": () => [
      frame(Type.SETTINGS, 0, 0, Buffer.alloc(0)),
      frame(Type.PING, 0, 0, Buffer.alloc(8))
    ]
  }
  for (const [what, frames] of Object.entries(floods)) {
    it.effect(`a flood ${what} ends the connection, and leaves nothing behind`, () =>
      Effect.gen(function* () {
        const socket = yield* dialTls()
        const { census } = yield* SessionRegistry
        const open = Effect.map(census, ({ sessions, handshakes }) => sessions + handshakes)
        if (!/not read/.test(what)) socket.resume()
        let isSent = false
        const all = Buffer.concat([preface, ...Array.from({ length: 1500 }, (_, i) => frames(i)).flat()])
        socket
          .on("error", () => {})
          .write(all, () => {
            isSent = true
          })
        const isOver = () => socket.destroyed || socket.readableEnded
        for (let i = 0; i < 200 && !isSent && !isOver(); i++) {
          yield* settled
          assert.isAtMost(yield* open, 101)
        }
        // After the flood Node hears nothing more, and may leave the connection to the timeouts.
        while (!isOver() || (yield* open) > 0) {
          yield* settled
          assert.isAtMost(yield* open, 101)
          yield* TestClock.adjust("1 minute")
        }
      }).pipe(Effect.provide(layer({ dialer: dialer(() => {}) })))
    )
  }

  it.effect("requests that are cancelled at once begin no more sessions than those that wait", () =>
    Effect.gen(function* () {
      const client = yield* dialFrames()
      const { list } = yield* SessionRegistry
      for (let i = 0; i < 500; i++) yield* client.send(...floods["of resets"](i))
      while (client.told(0) === "") yield* settled
      assert.match(client.told(0), /^GOAWAY 0/)
      yield* settled
      client.socket.destroy()
      yield* dial()
      yield* settled
      assert.isBelow((yield* list).at(-1)!.id, 130)
    }).pipe(Effect.provide(layer({ dialer: dialer(() => {}) })))
  )

  it.effect("a connection without streams is closed, before a login soon", () =>
    Effect.gen(function* () {
      const session = yield* dial()
      yield* settled
      const { census } = yield* SessionRegistry
      assert.strictEqual((yield* census).handshakes, 1)
      const client = yield* tunnel(session, "target.example:443")
      assert.strictEqual((yield* census).handshakes, 0)
      yield* TestClock.adjust("5 minutes")
      assert.isFalse(session.closed)
      yield* client.end
      yield* client.rest
      yield* settled
      assert.strictEqual((yield* census).handshakes, 1)
      yield* TestClock.adjust("15 minutes")
      yield* settled
      assert.isTrue(session.closed)
      assert.strictEqual((yield* census).handshakes, 0)
      const silent = yield* dial()
      yield* TestClock.adjust("30 seconds")
      yield* settled
      assert.isTrue(silent.closed)
    }).pipe(Effect.provide(layer()))
  )
})

describe("a connection", () => {
  it.effect("is closed when its client does not answer, also after a login", () =>
    Effect.gen(function* () {
      const client = yield* dialFrames()
      yield* client.send(
        frame(Type.HEADERS, 4, 1, block({ ":method": "CONNECT", ":authority": "target.example:443" }))
      )
      while (client.told(1) === "") yield* settled
      yield* TestClock.adjust("5 minutes")
      yield* client.send(frame(Type.DATA, 1, 1, Buffer.alloc(0)))
      yield* settled
      assert.strictEqual(client.told(0), "")
      yield* TestClock.adjust("1 minute")
      yield* settled
      assert.strictEqual(client.told(0), "PING")
      yield* TestClock.adjust("1 minute")
      yield* settled
      assert.strictEqual(client.told(0), "PING GOAWAY 0")
      yield* TestClock.adjust("2 seconds")
      yield* settled
      const { census } = yield* SessionRegistry
      assert.strictEqual((yield* census).handshakes, 0)
    }).pipe(Effect.provide(layer()))
  )

  it.effect(
    "takes four megabytes of all streams in a round trip, not the 64 KiB of the protocol's beginning",
    () =>
      Effect.gen(function* () {
        const session = yield* dial()
        yield* tunnel(session, "target.example:443")
        assert.isAtLeast(Number(session.state.remoteWindowSize), 4 * 1024 * 1024)
      }).pipe(Effect.provide(layer()))
  )

  it.effect("passes on a response of many fields as large as HTTP/1 has it", () => {
    const fields = Array.from({ length: 240 }, (_, i) => `X-${i}: ${"\u00e9".repeat(250)}`)
    const target = answering(message(["HTTP/1.1 200 OK", "Content-Length: 5", ...fields], "hello"))
    return Effect.gen(function* () {
      const session = yield* dial({ maxHeaderListPairs: 1000, settings: { maxHeaderListSize: 1_000_000 } })
      const { status, body, fields } = yield* ask(session, get())
      assert.deepStrictEqual([status, body, String(fields["x-239"]).length], [200, "hello", 250])
    }).pipe(Effect.provide(layer({ dialer: target.dialer })))
  })
})

describe("ALPN", () => {
  it.effect("chooses HTTP/2 or HTTP/1.1", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* dialTls(["http/1.1", "h2"])).alpnProtocol, "h2")
      assert.strictEqual((yield* dialTls(["http/1.1"])).alpnProtocol, "http/1.1")
      assert.strictEqual((yield* dialTls([])).alpnProtocol, false)
    }).pipe(Effect.provide(layer()))
  )
})
