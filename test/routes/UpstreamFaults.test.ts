/**
 * Upstreams of every kind that hang, lie, close and stutter at any byte, with and without TLS: what clients are told, and
 * what the log says.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { createSecureContext, type SecureContextOptions, TLSSocket } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as SelfSigned from "../../src/network/SelfSigned.ts"
import type * as Event from "../../src/session/Event.ts"
import { Events } from "../../src/session/Events.ts"
import { layerServer, Network, type Peer, peer, type Serve, upstream } from "../../src/testing/index.ts"
import { certificate } from "../support/certificates.ts"
import { greeting, request } from "../support/messages.ts"
import { settled } from "../support/streams.ts"
import { directory } from "../support/temporary.ts"

const at = "127.0.0.1:3128"

type Protocol = "socks5" | "socks4" | "http"

const logins: Readonly<Record<Protocol, string>> = {
  socks5: "alice:secret",
  socks4: "alice",
  http: "alice:secret"
}

/** The number of bytes of all answers to a session. */
const answerSizes: Readonly<Record<Protocol, number>> = { socks5: 2 + 2 + 10, socks4: 8, http: 23 }

const schemes: Readonly<Record<Protocol, readonly [plain: string, encrypted: string]>> = {
  socks5: ["socks5", "socks5+tls"],
  socks4: ["socks4", "socks4+tls"],
  http: ["http", "https"]
}

/** Plays an upstream behind TLS. The handshake listens at once, as no byte of the connection waits for it. */
const encrypted =
  (options: SecureContextOptions & { readonly requestCert?: boolean }, serve: Serve): Serve =>
  ({ duplex }) => {
    const { requestCert = false } = options
    const secureContext = createSecureContext(options)
    const way = { isServer: true, requestCert, rejectUnauthorized: requestCert, secureContext }
    const secured = peer(new TLSSocket(duplex as never, way))
    return serve(secured).pipe(Effect.andThen(secured.end), Effect.andThen(Effect.never))
  }

/** What a client is told that asks for a target: the code of the reply, the bytes behind it, and what the log has. */
const ask = Effect.gen(function* () {
  const ended: Array<Event.SessionEnded> = []
  yield* (yield* Events).listen(["SessionEnded"], (event) => Effect.sync(() => void ended.push(event)))
  const client = yield* (yield* Network).connect()
  yield* client.send([...greeting(0), ...request("203.0.113.80", 80)])
  const [, , , code, , type] = yield* client.receive(2 + 4)
  yield* client.receive(type === 0x04 ? 18 : 6)
  yield* client.end
  const rest = Buffer.from(yield* client.rest).toString("latin1")
  yield* settled
  const { outcome, reason } = { ...ended[0] } as { readonly outcome?: string; readonly reason?: string }
  return { code, rest, outcome, reason }
}).pipe(Effect.scoped)

/** A server whose targets are behind this upstream, with no other way to them. */
const server = (url: string) => layerServer({ upstream: url, connectTimeout: "5 seconds" })

/** The same at such a server, while its upstream is played so. */
const played = (serve: Serve, place = at, asking: typeof ask = ask) =>
  Effect.scoped(
    Effect.andThen(
      Effect.flatMap(Network, ({ target }) => target(place, serve)),
      asking
    )
  )

/** The same at a server of its own. */
const behind = (url: string, serve: Serve, place = at) =>
  Effect.orDie(Effect.provide(played(serve, place), server(url)))

/** The URL of an upstream with its login, and how it is played. */
const kinds = Effect.gen(function* () {
  const own = certificate(yield* directory, "upstream", "/CN=localhost")
  return (Object.keys(schemes) as ReadonlyArray<Protocol>).flatMap((protocol) =>
    schemes[protocol].map((scheme) => {
      const isTls = scheme.endsWith("s") || scheme.endsWith("tls")
      return {
        ...{ protocol, isTls },
        url: `${scheme}://${logins[protocol]}@${at}${isTls ? `?ca=${own.certFile}` : ""}`,
        play: (serve: Serve): Serve => (isTls ? encrypted(own, serve) : serve)
      }
    })
  )
})

/** Does the same for each kind, with a server for each. */
const forEachKind = <E>(
  test: (kind: Effect.Success<typeof kinds>[number]) => Effect.Effect<void, E, Events | Network>
) =>
  Effect.scoped(
    Effect.gen(function* () {
      for (const kind of yield* kinds) yield* Effect.provide(test(kind), server(kind.url))
    })
  )

describe("an upstream of any kind", () => {
  it.effect("is reported as failed if it closes, at any byte", () =>
    forEachKind(
      Effect.fnUntraced(function* ({ protocol, url, play }) {
        for (let after = 0; after < answerSizes[protocol]; after++) {
          for (const by of ["end", "reset"] as const) {
            const fault = { _tag: "CutOff", after, by } as const
            const told = yield* played(play(upstream({ protocol, login: logins[protocol], fault })))
            assert.deepInclude(
              told,
              { code: 1, rest: "", outcome: "UpstreamFailed" },
              `${url} ${after} ${by}`
            )
          }
        }
      })
    )
  )

  it.effect("is reported as silent if it hangs, at any byte, when the time limit is over", () =>
    forEachKind(
      Effect.fnUntraced(function* ({ protocol, isTls, url, play }) {
        const hanging = Effect.gen(function* () {
          const asking = yield* Effect.forkChild(ask)
          for (let turn = 0; turn < (isTls ? 3 : 1); turn++) yield* settled
          yield* TestClock.adjust("4999 millis")
          yield* settled
          assert.isUndefined(asking.pollUnsafe(), url)
          yield* TestClock.adjust("1 millis")
          return yield* Fiber.join(asking)
        })
        for (let after = 0; after < answerSizes[protocol]; after++) {
          const fault = { _tag: "Hang", after } as const
          const serve = play(upstream({ protocol, login: logins[protocol], fault }))
          const told = yield* played(serve, at, hanging)
          assert.deepInclude(told, { code: 1, rest: "", outcome: "UpstreamTimeout" }, `${url} ${after}`)
        }
      })
    )
  )

  it.effect("may cut its answers anywhere, and send the target's bytes with the last", () =>
    forEachKind(
      Effect.fnUntraced(function* ({ protocol, url, play }) {
        for (let cut = 0; cut <= answerSizes[protocol]; cut++) {
          const serve = upstream({ protocol, login: logins[protocol], target: ({ send }) => send("hello") })
          const told = yield* played(play(cutting(cut, serve)))
          assert.deepInclude(told, { code: 0, rest: "hello" }, `${url} ${cut}`)
        }
      })
    )
  )
})

/** Cuts what is sent once, after so many bytes; each piece but the first waits for some turns. */
const cutting =
  (cut: number, serve: Serve): Serve =>
  (peer) => {
    let sent = 0
    return serve({
      ...peer,
      send: Effect.fnUntraced(function* (bytes) {
        const all = Buffer.from(bytes as Uint8Array)
        const first = Math.max(0, Math.min(all.length, cut - sent))
        sent += all.length
        if (first > 0) yield* peer.send(all.subarray(0, first))
        if (first > 0 && first < all.length) yield* settled
        if (first < all.length) yield* peer.send(all.subarray(first))
      })
    })
  }

/** The messages of this server, by their sizes; HTTP ends its one with an empty line. */
const messageSizes: Readonly<Record<Protocol, ReadonlyArray<number>>> = {
  socks5: [3, 14, 10],
  socks4: [14],
  http: []
}

/** Answers each message with these bytes, and then says nothing more. */
const answering =
  (protocol: Protocol, answers: ReadonlyArray<string | ReadonlyArray<number>>): Serve =>
  (peer) =>
    Effect.gen(function* () {
      for (const [index, answer] of answers.entries()) {
        yield* receiveMessage(peer, messageSizes[protocol][index])
        yield* peer.send(answer)
      }
      yield* peer.end
      return yield* Effect.never
    })

const receiveMessage = Effect.fnUntraced(function* (peer: Peer, size: number | undefined) {
  if (size !== undefined) return void (yield* peer.receive(size))
  let head = ""
  while (!head.endsWith("\r\n\r\n")) head += String.fromCharCode((yield* peer.receive(1))[0] ?? 10)
})

const nameOf = (length: number) => [0x03, length, ...Array(length).fill(0x61)]
const chosen = [5, 2]
const welcome = [1, 0]
const ipv4 = [1, 198, 51, 100, 77, 0, 0]

type Lie = readonly [
  what: string,
  protocol: Protocol,
  answers: ReadonlyArray<string | ReadonlyArray<number>>,
  told: { readonly code: number; readonly outcome: string; readonly reason?: RegExp; readonly rest?: string }
]

const failed = (reason: RegExp) => ({ code: 1, outcome: "UpstreamFailed", reason })
const refusesLogin = { code: 1, outcome: "UpstreamLoginFailed" }
/** Of which an answer tells, but not what it is. */
const unclear = { code: 1, outcome: "ConnectFailed" }
const passed = (rest: string) => ({ code: 0, outcome: "finished", rest })
const interim = "HTTP/1.1 103 Early Hints\r\n\r\n"
const ok = "HTTP/1.1 200 OK\r\n\r\n"

const lies: ReadonlyArray<Lie> = [
  ["another version", "socks5", [[4, 2]], failed(/version 4 is not 5/)],
  ["HTTP", "socks5", ["HTTP/1.1 400 Bad Request\r\n\r\n"], failed(/version 72 is not 5/)],
  ["a method that was not offered", "socks5", [[5, 0]], failed(/selects the method 0/)],
  ["GSSAPI", "socks5", [[5, 1]], failed(/selects the method 1/)],
  ["no method", "socks5", [[5, 0xff]], refusesLogin],
  ["bytes before the login", "socks5", [[5, 2, 0x78]], failed(/version 120 of the login/)],
  ["another version of the login", "socks5", [chosen, [2, 0]], failed(/version 2 of the login/)],
  ["version 5 of the login, as some have it", "socks5", [chosen, [5, 0], [5, 0, 0, ...ipv4]], passed("")],
  ["a refused login", "socks5", [chosen, [1, 0xff]], refusesLogin],
  ["a reply of version 4", "socks5", [chosen, welcome, [4, 0, 0, ...ipv4]], failed(/version 4 of the reply/)],
  ["an unknown kind of address", "socks5", [chosen, welcome, [5, 0, 0, 2, 0, 0]], failed(/address type 2/)],
  ["an unknown code", "socks5", [chosen, welcome, [5, 9, 0, ...ipv4]], unclear],
  ["the last code", "socks5", [chosen, welcome, [5, 0xff, 0, ...ipv4]], unclear],
  ["a long name", "socks5", [chosen, welcome, [5, 0, 0, ...nameOf(255), 0, 80, 0x68, 0x69]], passed("hi")],
  ["an empty name", "socks5", [chosen, welcome, [5, 0, 0, 3, 0, 0, 80, 0x68, 0x69]], passed("hi")],
  ["an address of IPv6", "socks5", [chosen, welcome, [5, 0, 0, 4, ...Array(18).fill(1), 0x21]], passed("!")],
  [
    "the target's bytes before the reply",
    "socks5",
    [chosen, [1, 0, 0x68]],
    failed(/version 104 of the reply/)
  ],
  ["a reply of version 5", "socks4", [[5, 0x5a, 0, 0, 0, 0, 0, 0]], failed(/version 5 of the reply/)],
  ["version 4, as some have it", "socks4", [[4, 0x5a, 0, 0, 0, 0, 0, 0, 0x21]], passed("!")],
  ["a code of SOCKS5", "socks4", [[0, 0, 0, 0, 0, 0, 0, 0]], unclear],
  ["no identd", "socks4", [[0, 0x5c, 0, 0, 0, 0, 0, 0]], refusesLogin],
  ["the target's bytes before the reply", "socks4", ["hello"], failed(/version 104 of the reply/)],
  ["SSH", "http", ["SSH-2.0-OpenSSH\r\n\r\n"], failed(/./)],
  ["HTTP/2", "http", ["HTTP/2 200\r\n\r\n"], failed(/./)],
  ["a status of two digits", "http", ["HTTP/1.1 20 OK\r\n\r\n"], failed(/./)],
  ["a field without a name", "http", ["HTTP/1.1 200 OK\r\n: x\r\n\r\n"], failed(/./)],
  [
    "a head that is too large",
    "http",
    [`HTTP/1.1 200 OK\r\nX: ${"a".repeat(70_000)}\r\n\r\n`],
    failed(/too large/)
  ],
  ["a head that does not end", "http", [`HTTP/1.1 200 OK\r\nX: ${"a".repeat(200_000)}`], failed(/too large/)],
  [
    "too many fields",
    "http",
    [`HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(2000)}\r\n`],
    failed(/too many fields/)
  ],
  ["too many interim responses", "http", [interim.repeat(17) + ok], failed(/too many interim responses/)],
  ["some interim responses", "http", [`${interim.repeat(16)}${ok}!`], passed("!")],
  ["a body, which is the target's", "http", [`${ok.slice(0, -2)}Content-Length: 2\r\n\r\n!`], passed("!")],
  [
    "chunks, which are the target's",
    "http",
    [`${ok.slice(0, -2)}${"Transfer-Encoding: chunked"}\r\n\r\n!`],
    passed("!")
  ],
  ["another success", "http", ["HTTP/1.0 299 Fine\r\n\r\n!"], passed("!")],
  ["a redirection", "http", ["HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n"], failed(/status 302/)],
  ["no such page", "http", ["HTTP/1.1 404 Not Found\r\n\r\n"], failed(/status 404/)],
  ["another login", "http", ["HTTP/1.1 407 No\r\n\r\n"], refusesLogin],
  ["a failure", "http", ["HTTP/1.1 500 Oops\r\n\r\n"], unclear]
]

describe("an upstream that answers with", () => {
  it.effect.each(lies)("%s, in %s", ([, protocol, answers, { reason, ...told }]) =>
    Effect.gen(function* () {
      const url = `${protocol}://${logins[protocol]}@${at}`
      const found = yield* behind(url, answering(protocol, answers))
      assert.deepInclude(found, told)
      if (reason) assert.match(found.reason ?? "", reason)
    })
  )
})

describe("an upstream over TLS", () => {
  const serve = upstream({ protocol: "http", target: ({ send }) => send("hello") })

  it.effect("whose certificate is of another host, expired, or of nobody known gets nothing", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const own = certificate(path, "upstream", "/CN=localhost")
      const other = certificate(path, "other", "/CN=other")
      const play = encrypted(own, serve)
      assert.deepInclude(yield* behind(`https://${at}?ca=${own.certFile}`, play), {
        ...{ code: 0, rest: "hello" }
      })
      const refused = { code: 1, rest: "", outcome: "UpstreamFailed" }
      const place = "192.0.2.9:3128"
      assert.deepInclude(yield* behind(`https://${place}?ca=${own.certFile}`, play, place), {
        ...{ ...refused, reason: "TLS: ERR_TLS_CERT_ALTNAME_INVALID" }
      })
      for (const options of ["", `?ca=${other.certFile}`]) {
        assert.deepInclude(yield* behind(`https://${at}${options}`, play), {
          ...{ ...refused, reason: "TLS: DEPTH_ZERO_SELF_SIGNED_CERT" }
        })
      }
      // Made by the clock of the test, which says 1970.
      const old = yield* SelfSigned.make([])
      const file = join(path, "old.pem")
      writeFileSync(file, old.cert)
      assert.deepInclude(yield* behind(`https://${at}?ca=${file}`, encrypted(old, serve)), {
        ...{ ...refused, reason: "TLS: CERT_HAS_EXPIRED" }
      })
    }).pipe(Effect.scoped)
  )

  it.effect("gets the certificate that it wants, and fails without", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const own = certificate(path, "upstream", "/CN=localhost")
      const authority = certificate(path, "ca", "/CN=an authority")
      const alice = certificate(path, "alice", "/O=Example/CN=alice", authority)
      const play = encrypted({ ...own, ca: authority.cert, requestCert: true }, serve)
      const url = `https://${at}?ca=${own.certFile}`
      const shown = `${url}&cert=${alice.certFile}&key=${alice.keyFile}`
      assert.deepInclude(yield* behind(shown, play), { code: 0, rest: "hello" })
      assert.deepInclude(yield* behind(url, play), { code: 1, rest: "", outcome: "UpstreamFailed" })
    }).pipe(Effect.scoped)
  )

  it.effect("that speaks no TLS, or closes in the handshake, is reported as failed", () =>
    Effect.gen(function* () {
      for (const { url, isTls } of yield* kinds) {
        if (!isTls) continue
        const told = { code: 1, rest: "", outcome: "UpstreamFailed" }
        for (const spoken of ["HTTP/1.1 400 Bad Request\r\n\r\n", ""]) {
          const plain: Serve = ({ send, end }) => Effect.andThen(send(spoken), end)
          assert.deepInclude(yield* behind(url, plain), told)
        }
      }
    }).pipe(Effect.scoped)
  )
})
