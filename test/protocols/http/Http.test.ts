/**
 * HTTP as clients and targets see it: tunnels, requests made in their place,
 * credentials, and connections used more than once.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { Authenticator } from "../../../src/auth/Authenticator.ts"
import * as Errors from "../../../src/Errors.ts"
import { connect, dialer, failingDialer, layer, type Peer } from "../../../src/testing/index.ts"
import { message, receive, receiveAll, text } from "../../support/http.ts"
import { settled } from "../../support/streams.ts"

const asAlice = {
  authenticator: Authenticator.layerUsers([{ name: "alice", password: Redacted.make("secret") }])
}
const credentials = `Proxy-Authorization: Basic ${btoa("alice:secret")}`
const get = (path = "/", ...fields: ReadonlyArray<string>) =>
  message([`GET http://target.example${path} HTTP/1.1`, "Host: target.example", ...fields])

/** A target that answers its one request with these bytes, and hands the request on. */
const answering = (bytes: Uint8Array, ending: "end" | "reset" | "open" = "end") => {
  const requests: Array<string> = []
  return {
    requests,
    dialer: dialer(({ duplex }: Peer) => {
      let seen = ""
      duplex.on("data", (chunk: Buffer) => {
        const isFirst = !seen.includes("\r\n\r\n")
        seen += chunk.toString("latin1")
        if (!isFirst || !seen.includes("\r\n\r\n")) return
        requests.push(seen)
        duplex.write(bytes)
        if (ending === "end") duplex.end()
        if (ending === "reset") setImmediate(() => duplex.destroy())
      })
    })
  }
}

const hello = message(["HTTP/1.1 200 OK", "Content-Length: 5", "Connection: close"], "hello")

describe("CONNECT", () => {
  it.effect("opens a tunnel, and relays bytes that were sent ahead", () =>
    Effect.gen(function* () {
      const client = yield* connect
      yield* client.send([
        ...message(["CONNECT target.example:443 HTTP/1.1", "Host: target.example:443"], "early")
      ])
      assert.strictEqual((yield* receive(client)).start, "HTTP/1.1 200 Connection established")
      assert.strictEqual(text(yield* client.receive(5)), "early")
      yield* client.send("late")
      yield* client.end
      assert.strictEqual(text(yield* client.rest), "late")
      assert.strictEqual(yield* client.ending, "end")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("replies with the reason of a failure, and closes", () =>
    Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(
        message(["CONNECT target.example:443 HTTP/1.1", "Host: target.example:443"], "GET / HTTP/1.1\r\n\r\n")
      )
      const { start, fields, body } = yield* receiveAll(client)
      assert.strictEqual(start, "HTTP/1.1 502 Bad Gateway")
      assert.strictEqual(fields["proxy-status"], "effect-socks; error=connection_refused")
      assert.strictEqual(fields.connection, "close")
      assert.strictEqual(body, "effect-socks: connection refused\n")
    }).pipe(Effect.provide(layer({ dialer: failingDialer(new Errors.ConnectionRefused()) })))
  )
})

describe("FORWARD", () => {
  it.effect("forwards a request with the host of the request-target", () => {
    const target = answering(hello)
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(
        message([
          "GET http://target.example/a?b=c HTTP/1.1",
          "Host: other.example",
          "Accept: */*",
          "Connection: keep-alive, X-Secret",
          "X-Secret: 1",
          "Proxy-Connection: keep-alive",
          credentials
        ])
      )
      const { start, fields, body } = yield* receive(client)
      assert.strictEqual(start, "HTTP/1.1 200 OK")
      assert.match(fields.via!, /^1\.1 effect-socks-[0-9a-f]{8}$/)
      assert.strictEqual(fields.connection, "keep-alive")
      assert.strictEqual(body, "hello")
      assert.match(
        target.requests[0]!,
        /^GET \/a\?b=c HTTP\/1\.1\r\nHost: target\.example\r\nAccept: \*\/\*\r\nVia: 1\.1 effect-socks-[0-9a-f]{8}\r\n\r\n$/
      )
    }).pipe(Effect.provide(layer({ dialer: target.dialer })))
  })

  it.effect("answers requests in their order, sent one by one or all at once", () => {
    const target = answering(hello)
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send([...get("/1"), ...get("/2")])
      assert.strictEqual((yield* receive(client)).body, "hello")
      assert.strictEqual((yield* receive(client)).body, "hello")
      yield* client.send(get("/3", "Connection: close"))
      const last = yield* receiveAll(client)
      assert.strictEqual(last.body, "hello")
      assert.strictEqual(last.fields.connection, "close")
      assert.deepStrictEqual(
        target.requests.map((head) => head.split(" ")[1]),
        ["/1", "/2", "/3"]
      )
    }).pipe(Effect.provide(layer({ dialer: target.dialer })))
  })

  it.effect("passes an incomplete body on as incomplete", () => {
    const target = answering(message(["HTTP/1.1 200 OK", "Content-Length: 50"], "hello"), "end")
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(get())
      assert.strictEqual(yield* client.ending, "reset")
    }).pipe(Effect.provide(layer({ dialer: target.dialer })))
  })

  it.effect("does not take a reset as the end of a response", () => {
    const target = answering(message(["HTTP/1.1 200 OK"], "hello"), "reset")
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(message(["GET http://target.example/ HTTP/1.0"]))
      assert.strictEqual(yield* client.ending, "reset")
    }).pipe(Effect.provide(layer({ dialer: target.dialer })))
  })
})

describe("Proxy-Authorization", () => {
  it.effect("is requested once, on a connection that stays open", () => {
    const target = answering(hello)
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(get())
      const refusal = yield* receive(client)
      assert.strictEqual(refusal.status, 407)
      assert.strictEqual(refusal.fields["proxy-authenticate"], 'Basic realm="effect-socks", charset="UTF-8"')
      assert.strictEqual(refusal.fields.connection, "keep-alive")
      yield* client.send(get("/", credentials))
      assert.strictEqual((yield* receive(client)).status, 200)
      assert.notMatch(target.requests[0]!, /authorization/i)
    }).pipe(Effect.provide(layer({ ...asAlice, dialer: target.dialer })))
  })

  it.effect("is requested a few times, and then no more", () =>
    Effect.gen(function* () {
      const client = yield* connect
      yield* client.send([...get(), ...get(), ...get(), ...get(), ...get(), ...get()])
      for (const _ of "1234") assert.strictEqual((yield* receive(client)).fields.connection, "keep-alive")
      const last = yield* receiveAll(client)
      assert.deepStrictEqual([last.status, last.fields.connection], [407, "close"])
    }).pipe(Effect.provide(layer(asAlice)))
  )

  it.effect("must come with the first request", () =>
    Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(get())
      assert.strictEqual((yield* receive(client)).status, 407)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(text(yield* client.rest), "")
    }).pipe(Effect.provide(layer(asAlice)))
  )
})

it.effect("a connection with a request beyond a limit is closed after the answer", () => {
  const target = answering(hello)
  return Effect.gen(function* () {
    const client = yield* connect
    yield* client.send([...get("/1"), ...get("/2"), ...get("/3")])
    assert.strictEqual((yield* receive(client)).status, 200)
    const refusal = yield* receiveAll(client)
    assert.strictEqual(refusal.status, 429)
    assert.strictEqual(refusal.fields.connection, "close")
    assert.lengthOf(target.requests, 1)
  }).pipe(Effect.provide(layer({ dialer: target.dialer, config: { sessionRate: 1 } })))
})

describe("A connection without a request on it", () => {
  it.effect("stays open for the idle timeout, as announced, and is then closed without a message", () => {
    const target = answering(hello)
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(get())
      assert.strictEqual((yield* receive(client)).fields["keep-alive"], "timeout=60")
      yield* TestClock.adjust("55 seconds")
      yield* client.send(get())
      assert.strictEqual((yield* receive(client)).status, 200)
      yield* TestClock.adjust("61 seconds")
      assert.strictEqual(text(yield* client.rest), "")
    }).pipe(Effect.provide(layer({ dialer: target.dialer, config: { idleTimeout: Duration.minutes(1) } })))
  })

  it.effect("is closed early when handshakes need its room", () => {
    const target = answering(hello)
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(get())
      yield* receive(client)
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual(text(yield* client.rest), "")
    }).pipe(
      Effect.provide(
        layer({ dialer: target.dialer, config: { maxHandshakes: { start: 2, rate: 0, full: 2 } } })
      )
    )
  })

  it.effect("has the usual deadline for its next request, once it has begun", () => {
    const target = answering(hello)
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(get())
      yield* receive(client)
      yield* TestClock.adjust("55 seconds")
      yield* client.send("GET ")
      yield* settled
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual(text(yield* client.rest), "")
    }).pipe(Effect.provide(layer({ dialer: target.dialer })))
  })
})
