/**
 * What odd clients and odd origins get of each other: directly, through this server, and through squid and tinyproxy.
 * Where this server gives something else than the direct way, the row says why.
 */
import type { Socket } from "node:net"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWith } from "../support/clients.ts"
import { answer, isOfHttp1, outcome, outcomeByHttp2, type Scenario } from "../support/conformance.ts"
import * as Forwarders from "../support/forwarders.ts"
import * as Program from "../support/program.ts"

interface Row extends Scenario {
  readonly direct: string
  /** What this server gives; as directly, if left out. */
  readonly here?: string
  /** What this server gives to a client of HTTP/2; as to one of HTTP/1, if left out. */
  readonly http2?: string
  /** Why HTTP/2 makes a difference. */
  readonly http2Because?: string
  /** What others give; as this server, if left out. */
  readonly squid?: string
  readonly tinyproxy?: string
  /** Why this server does not give what the direct way gives. */
  readonly because?: string
}

const hello = answer(["HTTP/1.1 200 OK", "Content-Length: 5"], "hello")
const post = (...fields: ReadonlyArray<string>) => ({ method: "POST", fields, origin: hello })
const big = "x".repeat(3_000_000)

/** Answers at once, and closes with what was sent unread. */
const hasty = (socket: Socket) => {
  socket.pause()
  socket.write("HTTP/1.1 401 No\r\nContent-Length: 6\r\nConnection: close\r\n\r\norigin", () =>
    socket.destroy()
  )
}

/** Answers at once, and reads on. */
const patient = (socket: Socket) => {
  socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
}

const rows: ReadonlyArray<Row> = [
  { name: "a page", origin: hello, direct: '200 "hello"' },
  {
    name: "no reason phrase",
    origin: answer(["HTTP/1.1 200", "Content-Length: 5"], "hello"),
    direct: '200 "hello"'
  },
  {
    name: "bare LFs in a response",
    origin: (socket) => socket.end("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"),
    direct: '200 "hello"'
  },
  {
    name: "a folded field of a response",
    origin: answer(["HTTP/1.1 200 OK", "X-Fold: a", " b", "Content-Length: 5"], "hello"),
    got: /(X-Fold: a\r\n b|X-Fold: a +b)/,
    direct: "X-Fold: a\r\n b",
    here: "X-Fold: a b",
    tinyproxy: "X-Fold: a\r\n b",
    because: "RFC 9112 \u00a75.2: a proxy makes one line of a fold"
  },
  {
    name: "a space before a colon of a response",
    origin: answer(["HTTP/1.1 200 OK", "X-Space : a", "Content-Length: 5"], "hello"),
    got: /(X-Space ?: a)/,
    direct: "X-Space : a",
    here: "X-Space: a",
    tinyproxy: "X-Space : a",
    because: "RFC 9112 \u00a75.1: a proxy removes the space"
  },
  {
    name: "a line without a colon in a response",
    origin: answer(["HTTP/1.1 200 OK", "nonsense", "Content-Length: 5"], "hello"),
    direct: '200 "hello"',
    here: "502",
    tinyproxy: '200 "hello"',
    because: "clients disagree about what such a line is"
  },
  {
    name: "a control character in a response",
    origin: answer(["HTTP/1.1 200 OK", "X-Bell: \x07", "Content-Length: 5"], "hello"),
    direct: '200 "hello"'
  },
  { name: "a body of HTTP/1.0", origin: answer(["HTTP/1.0 200 OK"], "hello"), direct: '200 "hello"' },
  {
    name: "a body that ends with the connection",
    origin: answer(["HTTP/1.1 200 OK"], "hello"),
    direct: '200 "hello"'
  },
  {
    name: "one length twice in a response",
    origin: answer(["HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5"], "hello"),
    direct: '200 "hello"'
  },
  {
    name: "two lengths in a response",
    origin: answer(["HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 3"], "hello"),
    direct: '200 "hello"',
    here: "502",
    tinyproxy: '200 "hello"',
    because: "RFC 9112 \u00a76.3: a response with two lengths is none"
  },
  {
    name: "a length and chunks in a response",
    origin: answer(
      ["HTTP/1.1 200 OK", "Content-Length: 3", "Transfer-Encoding: chunked"],
      "5\r\nhello\r\n0\r\n\r\n"
    ),
    direct: '200 "hello"',
    here: "502",
    squid: '200 "hello"',
    tinyproxy: '200 "hello"',
    because: "RFC 9112 \u00a76.3: it might be an attempt to split responses"
  },
  {
    name: "chunks with extensions and trailers",
    origin: answer(
      ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"],
      "5;a=b\r\nhello\r\n0\r\nSum: 1\r\n\r\n"
    ),
    direct: '200 "hello"'
  },
  {
    name: "trailers that HTTP/2 does not have",
    origin: answer(
      ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"],
      "5\r\nhello\r\n0\r\nHTTP2-Settings: a\r\nConnection: close\r\n\r\n"
    ),
    direct: '200 "hello"'
  },
  {
    name: "chunks for HTTP/1.0",
    version: "1.0",
    origin: answer(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], "5\r\nhello\r\n0\r\n\r\n"),
    direct: '200 "hello"'
  },
  {
    name: "a length cut short",
    origin: answer(["HTTP/1.1 200 OK", "Content-Length: 50"], "hello"),
    direct: '200 "hello" cut off'
  },
  {
    name: "chunks cut short",
    origin: answer(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], "5\r\nhello\r\n"),
    direct: '200 "hello" cut off'
  },
  {
    name: "bytes above 0x7f in a response",
    origin: answer(["HTTP/1.1 200 OK", 'X-File: "\xc3\xa9\xe9.txt"', "Content-Length: 5"], "hello"),
    got: /(X-File: [^\r]*)/,
    direct: 'X-File: "\xc3\xa9\xe9.txt"'
  },
  {
    name: "a field of 60 KiB in a response",
    origin: answer(["HTTP/1.1 200 OK", `X: ${"x".repeat(60 * 1024)}`, "Content-Length: 5"], "hello"),
    direct: '200 "hello"'
  },
  {
    name: "a field that only upgrades to HTTP/2 have",
    origin: answer(["HTTP/1.1 200 OK", "HTTP2-Settings: AAMAAABk", "Content-Length: 5"], "hello"),
    direct: '200 "hello"'
  },
  {
    name: "fields twice that are to be once",
    origin: answer(
      ["HTTP/1.1 200 OK", "Age: 1", "Age: 2", "Date: now", "Date: then", "Content-Length: 5"],
      "hello"
    ),
    direct: '200 "hello"'
  },
  {
    name: "a status beyond 599",
    origin: answer(["HTTP/1.1 999 Odd", "Content-Length: 5"], "hello"),
    direct: '999 "hello"',
    http2: "502",
    squid: "502",
    http2Because: "Node's HTTP/2 sends none"
  },
  {
    name: "a body behind 205",
    origin: answer(["HTTP/1.1 205 Reset", "Content-Length: 5"], "hello"),
    direct: '205 "hello"',
    http2: "502",
    http2Because: "RFC 9110 \u00a715.3.6: 205 has no body"
  },
  {
    name: "Early Hints",
    origin: answer(
      ["HTTP/1.1 103 Early Hints", "Link: </a>", "", "HTTP/1.1 200 OK", "Content-Length: 5"],
      "hello"
    ),
    got: / (103) [\s\S]*(Link: [^\r]*)[\s\S]*(hello)/,
    direct: "103, Link: </a>, hello"
  },
  {
    name: "no response",
    origin: (socket) => socket.end(),
    direct: "closed",
    here: "502",
    tinyproxy: "closed",
    because: "a proxy says that there was none"
  },
  {
    name: "HTTP/0.9",
    origin: (socket) => socket.end("hello"),
    direct: 'no status ""',
    here: "502",
    squid: '200 "hello"',
    tinyproxy: "closed",
    because: "it could be anything, such as the greeting of a mail server"
  },
  { name: "a body behind 204", origin: answer(["HTTP/1.1 204 None", "Content-Length: 0"]), direct: '204 ""' },
  {
    name: "a hasty origin",
    ...post(`Content-Length: ${big.length}`),
    body: big,
    origin: hasty,
    direct: '401 "origin"'
  },
  {
    name: "a patient origin",
    ...post("Content-Length: 8"),
    body: "one",
    later: " two!",
    origin: patient,
    asked: /\r\n\r\none two!/,
    direct: '200 "hello"; asked: \r\n\r\none two!',
    squid: '200 "hello"; asked: nothing',
    tinyproxy: "silence; asked: nothing"
  },
  {
    name: "100 Continue",
    ...post("Content-Length: 4", "Expect: 100-continue"),
    later: "body",
    origin: (socket) => {
      socket.write("HTTP/1.1 100 Continue\r\n\r\n")
      socket.once("data", () => hello(socket))
    },
    asked: /\r\n\r\nbody/,
    direct: '200 "hello"; asked: \r\n\r\nbody',
    tinyproxy: "silence; asked: nothing"
  },
  {
    name: "a path above 0x7f",
    path: "/\xe9?\xff",
    origin: hello,
    asked: /^GET [^ ]*/,
    direct: '200 "hello"; asked: GET /\xe9?\xff'
  },
  {
    name: "a field above 0x7f",
    fields: ["X-Name: \xc3\xa9\xe9"],
    origin: hello,
    asked: /X-Name: [^\r]*/,
    direct: '200 "hello"; asked: X-Name: \xc3\xa9\xe9'
  },
  {
    name: "an unknown method",
    method: "FROBNICATE",
    origin: hello,
    asked: /^\w+/,
    direct: '200 "hello"; asked: FROBNICATE'
  },
  {
    name: "one length twice",
    ...post("Content-Length: 4", "Content-Length: 4"),
    body: "body",
    asked: /\r\n\r\nbody/,
    direct: '200 "hello"; asked: \r\n\r\nbody'
  },
  {
    name: "two lengths",
    ...post("Content-Length: 4", "Content-Length: 3"),
    body: "body",
    direct: '200 "hello"',
    here: "400",
    squid: "411",
    tinyproxy: '200 "hello"',
    because: "RFC 9112 \u00a76.3: a request with two lengths is refused"
  },
  {
    name: "a length and chunks",
    ...post("Content-Length: 4", "Transfer-Encoding: chunked"),
    body: "0\r\n\r\n",
    direct: '200 "hello"',
    here: "400",
    squid: '200 "hello"',
    tinyproxy: '200 "hello"',
    because: "RFC 9112 \u00a76.1: it might be an attempt to smuggle a request"
  },
  {
    name: "an empty line before a request",
    before: "\r\n",
    origin: hello,
    asked: /GET/,
    direct: '200 "hello"; asked: GET'
  },
  {
    name: "a field of 60 KiB",
    fields: [`X: ${"x".repeat(60 * 1024)}`],
    origin: hello,
    direct: '200 "hello"'
  },
  {
    name: "an upload that ends early",
    ...post("Content-Length: 50"),
    body: "body",
    ends: true,
    origin: (socket) =>
      socket.on("end", answer(["HTTP/1.1 400 No", "Content-Length: 6"], "origin").bind(null, socket)),
    direct: '400 "origin"',
    squid: "closed",
    tinyproxy: "closed"
  },
  {
    name: "a fragment",
    path: "/#a",
    origin: hello,
    direct: '200 "hello"',
    here: "400",
    squid: '200 "hello"',
    tinyproxy: '200 "hello"',
    because: "it is no part of a request (RFC 9112 \u00a73.2), and could hide the host from another reader"
  },
  {
    name: "TRACE",
    method: "TRACE",
    origin: hello,
    direct: '200 "hello"',
    here: "405",
    squid: '200 "hello"',
    tinyproxy: '200 "hello"',
    because: "its response would show the credentials that the client sends"
  },
  {
    name: "Max-Forwards",
    method: "OPTIONS",
    fields: ["Max-Forwards: 2"],
    origin: hello,
    asked: /Max-Forwards: ./,
    direct: '200 "hello"; asked: Max-Forwards: 2',
    here: '200 "hello"; asked: Max-Forwards: 1',
    tinyproxy: '200 "hello"; asked: Max-Forwards: 2',
    because: "RFC 9110 \u00a77.6.2: each proxy counts down"
  },
  {
    name: "an upgrade to WebSocket",
    fields: ["Connection: Upgrade", "Upgrade: websocket"],
    origin: (socket) => {
      socket.write("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
    },
    later: "more",
    got: / (101) [\s\S]*(Upgrade: [^\r]*)[\s\S]*(hello)/,
    asked: /\r\n\r\nmore/,
    direct: "101, Upgrade: websocket, hello; asked: \r\n\r\nmore",
    squid: "nothing, 502; asked: nothing",
    tinyproxy: "nothing, 101; asked: \r\n\r\nmore"
  }
]

const ways = [
  ["here", Effect.map(Program.start([]), ({ port }) => port)],
  ["squid", Forwarders.squid],
  ["tinyproxy", Forwarders.tinyproxy]
] as const

/** All rows by one way, a few at a time. */
const all = (proxy: number | undefined) =>
  Effect.forEach(rows, (row) => Effect.promise(() => outcome(row, proxy)), { concurrency: 8 })

it.live("through this server, by HTTP/2", () =>
  Effect.gen(function* () {
    const { port } = yield* Program.start(["--listen", "tls:127.0.0.1:0", "--tls", "auto"])
    const said = rows.filter((row) => !isOfHttp1(row))
    const found = yield* Effect.forEach(said, (row) => Effect.promise(() => outcomeByHttp2(row, port)), {
      concurrency: 8
    })
    const wanted = said.map((row) => row.http2 ?? row.here ?? row.direct)
    assert.deepStrictEqual(table(found, said), table(wanted, said))
  }).pipe(Effect.scoped)
)

const expected = (row: Row, way: string): string => {
  const here = row.here ?? row.direct
  return way === "here" ? here : way === "squid" ? (row.squid ?? here) : (row.tinyproxy ?? here)
}

it.live("directly, and through this server", () =>
  Effect.gen(function* () {
    const direct = yield* all(undefined)
    assert.deepStrictEqual(table(direct), table(rows.map((row) => row.direct)))
    const here = yield* all(yield* ways[0][1])
    assert.deepStrictEqual(table(here), table(rows.map((row) => expected(row, "here"))))
    for (const { name, here, because, http2, http2Because } of rows) {
      assert.strictEqual(because !== undefined, here !== undefined, `${name}: a difference has a reason`)
      assert.strictEqual(
        http2Because !== undefined,
        http2 !== undefined,
        `${name}: a difference has a reason`
      )
    }
  }).pipe(Effect.scoped)
)

for (const [name, start] of ways.slice(1)) {
  describeWith([name as "squid"], () => {
    it.live("through it", () =>
      Effect.gen(function* () {
        const found = yield* all(yield* start)
        assert.deepStrictEqual(table(found), table(rows.map((row) => expected(row, name))))
      }).pipe(Effect.scoped)
    )
  })
}

const table = (outcomes: ReadonlyArray<string>, of = rows) =>
  Object.fromEntries(outcomes.map((found, i) => [of[i]!.name, found]))
