/**
 * Origins that answer with anything, to clients of HTTP/1 and HTTP/2: the server neither dies of it nor keeps anything.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { SessionRegistry } from "../../../src/session/SessionRegistry.ts"
import { connect, dialer, layer, type Peer } from "../../../src/testing/index.ts"
import { message, text } from "../../support/http.ts"
import { ask, dial } from "../../support/http2.ts"
import { settled } from "../../support/streams.ts"

const field = fc.oneof(
  fc.constantFrom(
    ...[
      "HTTP2-Settings: AAMAAABk",
      "Connection: close, X-A",
      "Connection: upgrade",
      "Upgrade: h2c",
      "X-A: 1"
    ],
    ...["Keep-Alive: timeout=5", "TE: gzip", "Trailer: X-Sum", "Date: now", "Date: then", "Age: 1", "Age: 2"],
    ...[
      "Set-Cookie: a=1",
      "Set-Cookie: b=2",
      "Content-Type: a",
      "Content-Type: b",
      "Location: /a",
      "X: \x07"
    ],
    ...["Proxy-Authenticate: Basic", "WWW-Authenticate: NTLM", ":status: 200", "X-Empty:", "__proto__: 1"]
  ),
  fc
    .tuple(fc.string({ maxLength: 8 }), fc.string({ unit: "binary-ascii", maxLength: 12 }))
    .map(([name, value]) => `${name}: ${value}`)
)

const status = fc.oneof(fc.constantFrom(200, 204, 205, 304, 100, 101, 103, 199, 407, 999), fc.nat(1000))

const framing = fc.constantFrom(
  ["Content-Length: 5", "hello"],
  ["Content-Length: 0", ""],
  ["Content-Length: 50", "hello"],
  ["Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"],
  [
    "Transfer-Encoding: chunked",
    "5\r\nhello\r\n0\r\nHTTP2-Settings: a\r\nConnection: close\r\nX-Sum: 1\r\n\r\n"
  ],
  ["Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n:status: 200\r\n\r\n"],
  ["X-None: 1", "hello"]
)

/** One response or several, whole or not. */
const responses = fc
  .array(
    fc
      .tuple(status, fc.array(field, { maxLength: 6 }), framing)
      .map(([status, fields, [frame = "", body = ""]]) =>
        text(message([`HTTP/1.1 ${status} Odd`, ...fields, frame], body))
      ),
    { minLength: 1, maxLength: 3 }
  )
  .map((all) => all.join(""))

const errors = (found: Array<unknown>) =>
  Logger.layer([
    Logger.make(({ message, logLevel }) => {
      if (logLevel === "Error" || logLevel === "Fatal") found.push(message)
    })
  ])

it.effect("Responses of any kind leave no session behind, and no defect", () =>
  Effect.forEach(fc.sample(responses, 25), (bytes) => {
    const defects: Array<unknown> = []
    const origins = dialer(({ duplex }: Peer) => {
      duplex.once("data", () => {
        duplex.write(Buffer.from(bytes, "latin1"))
        setImmediate(() => duplex.end())
      })
    })
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(message(["GET http://target.example/ HTTP/1.1", "Host: a", "Connection: close"]))
      const got = text(yield* client.rest)
      assert.match(got, /^(HTTP\/1\.1 \d\d\d |$)/, JSON.stringify([bytes, got]))
      const session = yield* dial()
      for (const method of ["GET", "HEAD"]) {
        yield* ask(session, {
          ":method": method,
          ":scheme": "http",
          ":authority": "target.example",
          ":path": "/"
        })
      }
      session.destroy()
      yield* settled
      yield* TestClock.adjust("15 minutes")
      yield* settled
      const { census } = yield* SessionRegistry
      const { sessions, handshakes } = yield* census
      assert.deepStrictEqual([sessions, handshakes, defects], [0, 0, []], JSON.stringify(bytes))
    }).pipe(Effect.scoped, Effect.provide([layer({ dialer: origins }), errors(defects)]))
  })
)
