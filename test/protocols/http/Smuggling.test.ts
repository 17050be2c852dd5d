/**
 * Requests that two parsers could read in two ways. None may reach a target
 * whole, and none may leave bytes behind that pass for a request of their own.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as UpstreamUrl from "../../../src/routes/UpstreamUrl.ts"
import { connect, dialer, layer } from "../../../src/testing/index.ts"
import { message, receiveAll, text } from "../../support/http.ts"

const post = (fields: ReadonlyArray<string>, body: string, version = "1.1") =>
  message([`POST http://target.example/ HTTP/${version}`, "Host: target.example", ...fields], body)

const raw = (text: string) => Uint8Array.from(Buffer.from(text, "latin1"))
const get = (line: string, ...fields: ReadonlyArray<string>) => message([line, ...fields])
const host = "Host: target.example"
const chunked = "Transfer-Encoding: chunked"

const corpus: Readonly<Record<string, Uint8Array>> = {
  "Content-Length before Transfer-Encoding": post(["Content-Length: 5", chunked], "0\r\n\r\n"),
  "Transfer-Encoding before Content-Length": post([chunked, "Content-Length: 5"], "0\r\n\r\n"),
  "Content-Length twice, different": post(["Content-Length: 5", "Content-Length: 6"], "hello!"),
  "Content-Length as a list, different": post(["Content-Length: 5, 6"], "hello!"),
  "Content-Length alike, but for a zero": post(["Content-Length: 5", "Content-Length: 05"], "hello"),
  "Content-Length with a sign": post(["Content-Length: +5"], "hello"),
  "Content-Length in hexadecimal": post(["Content-Length: 0x5"], "hello"),
  "Content-Length with nothing in it": post(["Content-Length:"], "hello"),
  "Content-Length below zero": post(["Content-Length: -1"], "hello"),
  "Transfer-Encoding twice": post([chunked, chunked], "0\r\n\r\n"),
  "Transfer-Encoding not chunked": post(["Transfer-Encoding: identity"], ""),
  "Transfer-Encoding nearly chunked": post(["Transfer-Encoding: xchunked"], "0\r\n\r\n"),
  "Transfer-Encoding more than chunked": post(["Transfer-Encoding: gzip, chunked"], "0\r\n\r\n"),
  "Transfer-Encoding chunked, but not last": post(["Transfer-Encoding: chunked, gzip"], "0\r\n\r\n"),
  "Transfer-Encoding in HTTP/1.0": post([chunked], "0\r\n\r\n", "1.0"),
  "Transfer-Encoding behind a fold": post(["Transfer-Encoding:\r\n chunked"], "0\r\n\r\n"),
  "a chunk size of other letters": post([chunked], "zz\r\nhello\r\n0\r\n\r\n"),
  "a chunk size with 0x": post([chunked], "0x5\r\nhello\r\n0\r\n\r\n"),
  "a chunk size before a bare LF": post([chunked], "5\nhello\r\n0\r\n\r\n"),
  "a chunk size and a space": post([chunked], "5 \r\nhello\r\n0\r\n\r\n"),
  "a chunk longer than its size": post([chunked], "5\r\nhello!!0\r\n\r\n"),
  "a chunk extension before a bare LF": post([chunked], "5;x\nhello\r\n0\r\n\r\n"),
  "a line folded": get("GET http://target.example/ HTTP/1.1", host, "X: a\r\n b"),
  "a bare LF behind the request line": raw("GET http://target.example/ HTTP/1.1\nHost: target.example\n\n"),
  "a bare LF between fields": get("GET http://target.example/ HTTP/1.1", `${host}\nX: y`),
  "a bare CR between fields": get("GET http://target.example/ HTTP/1.1", `${host}\rX: y`),
  "a space before the colon": get("GET http://target.example/ HTTP/1.1", "Host : target.example"),
  "a space before the first field": get("GET http://target.example/ HTTP/1.1", ` ${host}`),
  "a field without a name": get("GET http://target.example/ HTTP/1.1", host, ": x"),
  "a NUL in a value": get("GET http://target.example/ HTTP/1.1", host, "X: a\0b"),
  "a NUL in a name": get("GET http://target.example/ HTTP/1.1", host, "X\0: a"),
  "Host twice": get("GET http://target.example/ HTTP/1.1", host, host),
  "no Host": get("GET http://target.example/ HTTP/1.1"),
  "HTTP/0.9": raw("GET http://target.example/\r\n\r\n"),
  "HTTP/1.2": get("GET http://target.example/ HTTP/1.2", host),
  "HTTP/2": raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  "a tab in the request line": get("GET\thttp://target.example/ HTTP/1.1", host),
  "a user in the authority": get("GET http://target.example@other.example/ HTTP/1.1", host),
  "a fragment": get("GET http://target.example/#x HTTP/1.1", host),
  "a backslash in the authority": get("GET http://target.example\\x/ HTTP/1.1", host),
  "brackets around a name": get("GET http://[target.example]/ HTTP/1.1", host),
  "brackets around IPv4": get("GET http://[192.0.2.1]/ HTTP/1.1", host),
  "an IPv6 zone": get("GET http://[fe80::1%25lo]/ HTTP/1.1", host),
  "a host escaped": get("GET http://target%2eexample/ HTTP/1.1", host),
  "127.0.0.1 as a number": get("GET http://2130706433/ HTTP/1.1", host),
  "a port beyond ports": get("GET http://target.example:65616/ HTTP/1.1", host),
  "no host at all": get("GET http:///etc/passwd HTTP/1.1", host),
  "CONNECT without a port": get("CONNECT target.example HTTP/1.1", host),
  "CONNECT with a path": get("CONNECT target.example:80/x HTTP/1.1", host),
  "CONNECT with a scheme": get("CONNECT http://target.example:80 HTTP/1.1", host),
  "CONNECT with a body": message(["CONNECT target.example:80 HTTP/1.1", host, "Content-Length: 4"], "body"),
  "SOCKS5 in the body of a form": message(
    ["POST / HTTP/1.1", "Host: 127.0.0.1:1080", "Content-Length: 10"],
    "\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00"
  ),
  "SMTP's greeting": raw("EHLO target.example\r\n"),
  "RTSP's greeting": raw("OPTIONS rtsp://target.example/ RTSP/1.0\r\n\r\n")
}

/** Directly to targets, and to an upstream that would take the requests as they are. */
const ways: ReadonlyArray<readonly [string, ReadonlyArray<UpstreamUrl.Upstream>]> = [
  ["Smuggling", []],
  [
    "Smuggling through an upstream",
    [Option.getOrThrow(UpstreamUrl.fromString("http://192.0.2.9:3128?names=upstream"))]
  ]
]

describe.each(ways)("%s", (_, upstream) => {
  for (const [what, bytes] of Object.entries(corpus)) {
    it.effect(what, () => {
      let received = ""
      const targets = dialer(({ duplex }) => {
        duplex.on("data", (chunk: Buffer) => {
          received += chunk.toString("latin1")
        })
      })
      return Effect.gen(function* () {
        const client = yield* connect
        // Behind each one, something for the bytes left over to become.
        yield* client.send([...bytes, ...get("GET http://target.example/smuggled HTTP/1.1", host)])
        const { status, body, fields } = yield* receiveAll(client)
        assert.strictEqual(status, 400)
        assert.strictEqual(fields.connection, "close")
        // One answer, and none behind it.
        assert.strictEqual(fields["content-length"], String(body.length))
        assert.notInclude(received, "smuggled")
        assert.isFalse(received.endsWith("0\r\n\r\n"))
      }).pipe(Effect.provide(layer({ config: { upstream }, dialer: targets })))
    })
  }

  it.effect("a response with two framings is refused", () =>
    Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(get("GET http://target.example/ HTTP/1.1", host, "Connection: close"))
      assert.match(text(yield* client.rest), /^HTTP\/1\.1 502 /)
    }).pipe(
      Effect.provide(
        layer({
          config: { upstream },
          dialer: dialer(({ duplex }) =>
            duplex.once("data", () =>
              duplex.write(message(["HTTP/1.1 200 OK", "Content-Length: 3", chunked], "0\r\n\r\n"))
            )
          )
        })
      )
    )
  )
})
