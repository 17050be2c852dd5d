/**
 * How a stream of HTTP/2 ends, in frames: what broke off is told by RST_STREAM alone and at once, and nothing of it stays.
 */
import { setImmediate } from "node:timers/promises"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { SessionRegistry } from "../../../src/session/SessionRegistry.ts"
import { dialer, layer, type Peer } from "../../../src/testing/index.ts"
import { message } from "../../support/http.ts"
import { block, dialFrames, frame, Type } from "../../support/http2.ts"
import { settled } from "../../support/streams.ts"

const endStream = 1
const endHeaders = 4

const connect = frame(
  Type.HEADERS,
  endHeaders,
  1,
  block({ ":method": "CONNECT", ":authority": "target.example:443" })
)
const requested = (method: string, flags: number) =>
  frame(
    Type.HEADERS,
    flags,
    1,
    block({ ":method": method, ":scheme": "http", ":authority": "target.example", ":path": "/" })
  )
const get = requested("GET", endStream | endHeaders)
const post = requested("POST", endHeaders)

const ping = frame(Type.PING, 0, 0, Buffer.alloc(8))

const length = message(["HTTP/1.1 200 OK", "Content-Length: 50"], "half")
const chunks = (body: string) => message(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], body)
const endless = message(["HTTP/1.1 200 OK"], "half")

interface End {
  readonly request: Uint8Array
  /** What the origin sends. */
  readonly sends: Uint8Array | string
  /** What happens then. */
  readonly happens: (target: Peer, session: number) => Effect.Effect<unknown, never, SessionRegistry>
  /** The frames of the stream. */
  readonly told: string
}

const reset = ({ reset }: Peer) => reset
const end = ({ end }: Peer) => end
const nothing = () => Effect.void
const byOperator = (_: Peer, session: number) =>
  Effect.flatMap(SessionRegistry, (registry) => registry.end(session, "ended by operator"))
const idle = () => TestClock.adjust("1 minute")

const ends: Readonly<Record<string, End>> = {
  "a tunnel whose target ends": { request: connect, sends: "half", happens: end, told: "HEADERS 4 0 END" },
  "a tunnel whose target is reset": {
    request: connect,
    sends: "half",
    happens: reset,
    told: "HEADERS 4 RST 10"
  },
  "a tunnel in silence": { request: connect, sends: "half", happens: idle, told: "HEADERS 4 RST 10" },
  "a tunnel that is ended by the operator": {
    request: connect,
    sends: "half",
    happens: byOperator,
    told: "HEADERS 4 RST 10"
  },
  "a length cut short": { request: get, sends: length, happens: end, told: "HEADERS 4 RST 2" },
  "a length cut short by a reset": { request: get, sends: length, happens: reset, told: "HEADERS 4 RST 2" },
  "chunks cut short": { request: get, sends: chunks("4\r\nhalf\r\n"), happens: end, told: "HEADERS 4 RST 2" },
  "a chunk cut short": { request: get, sends: chunks("9\r\nhalf"), happens: reset, told: "HEADERS 4 RST 2" },
  "chunks that are none": {
    request: get,
    sends: chunks("4\r\nhalf\r\nnone\r\n"),
    happens: nothing,
    told: "HEADERS 4 RST 2"
  },
  "a body that ends with its connection": {
    request: get,
    sends: endless,
    happens: end,
    told: "HEADERS 4 0 END"
  },
  "a body that ends with a reset": { request: get, sends: endless, happens: reset, told: "HEADERS 4 RST 2" },
  "a response in silence": { request: get, sends: length, happens: idle, told: "HEADERS 4 RST 2" },
  "a response that is ended by the operator": {
    request: get,
    sends: length,
    happens: byOperator,
    told: "HEADERS 4 RST 2"
  },
  "a response to a request that goes on": {
    request: post,
    sends: length,
    happens: reset,
    told: "HEADERS 4 RST 2"
  },
  "no response": { request: get, sends: "", happens: end, told: "HEADERS 81 END" },
  "no response but a reset": { request: get, sends: "", happens: reset, told: "HEADERS 44 END" },
  "no response in time": { request: get, sends: "", happens: idle, told: "HEADERS 31 END" },
  "an empty response": {
    request: get,
    sends: message(["HTTP/1.1 204 None"]),
    happens: nothing,
    told: "HEADERS END"
  },
  trailers: {
    request: get,
    sends: chunks("4\r\nhalf\r\n0\r\nX-Sum: 1\r\n\r\n"),
    happens: nothing,
    told: "HEADERS 4 HEADERS END"
  }
}

const config = { idleTimeout: Duration.seconds(50), halfCloseTimeout: Duration.seconds(50) }

/** Serves a stream until the origin has sent this, and gives what is needed to end it. */
const served = Effect.fnUntraced(function* (
  { request, sends }: Pick<End, "request" | "sends">,
  targets: ReadonlyArray<Peer>,
  settings?: Uint8Array
) {
  const client = yield* dialFrames(settings)
  yield* client.send(request)
  // The first stream loads what serves streams.
  while (targets.length === 0) yield* settled
  const target = targets.at(-1)!
  if (sends.length > 0) yield* target.send(sends)
  yield* settled
  const { list } = yield* SessionRegistry
  return { ...client, target, session: (yield* list).at(-1)!.id }
})

/** Of the connection alone, which counts as a handshake while it has no stream. */
const left = Effect.gen(function* () {
  const { list, census } = yield* SessionRegistry
  const { sessions, handshakes } = yield* census
  return [(yield* list).length, sessions, handshakes]
})

describe("The end of a stream", () => {
  for (const [what, { happens, told, ...begins }] of Object.entries(ends)) {
    it.effect(`of ${what} is ${told}`, () => {
      const targets: Array<Peer> = []
      return Effect.gen(function* () {
        const client = yield* served(begins, targets)
        yield* happens(client.target, client.session)
        yield* settled
        assert.strictEqual(client.told(1), told)
        assert.strictEqual(client.told(0), "")
        // A target that has ended still reads. A client that goes on with its request is refused the rest.
        yield* client.send(frame(Type.RST_STREAM, 0, 1, Buffer.from([0, 0, 0, 8])))
        yield* settled
        assert.deepStrictEqual(yield* left, [1, 0, 1])
      }).pipe(Effect.provide(layer({ config, dialer: dialer((target) => targets.push(target)) })))
    })
  }

  for (let turns = 0; turns < 4; turns++) {
    it.effect(`is behind what came before it, ${turns} turns after something else is to be sent`, () => {
      const targets: Array<Peer> = []
      return Effect.gen(function* () {
        const client = yield* served({ request: get, sends: "" }, targets)
        yield* client.send(ping)
        yield* Effect.promise(async () => {
          for (let turn = 0; turn < turns; turn++) await setImmediate()
        })
        yield* client.target.send(length)
        yield* client.target.end
        yield* settled
        assert.strictEqual(client.told(1), "HEADERS 4 RST 2")
      }).pipe(Effect.provide(layer({ dialer: dialer((target) => targets.push(target)) })))
    })
  }

  // SETTINGS_INITIAL_WINDOW_SIZE of 0 (RFC 9113 §6.5.2).
  const noWindow = Buffer.from([0, 4, 0, 0, 0, 0])
  for (const [what, request, sends, told] of [
    ["a tunnel", connect, "half", "HEADERS RST 10"],
    ["a response", get, length, "HEADERS RST 2"]
  ] as const) {
    it.effect(`of ${what} that breaks off is told to a client without room for its bytes`, () => {
      const targets: Array<Peer> = []
      return Effect.gen(function* () {
        const client = yield* served({ request, sends }, targets, noWindow)
        assert.strictEqual(client.told(1), "HEADERS")
        yield* client.target.reset
        yield* settled
        assert.strictEqual(client.told(1), told)
        assert.deepStrictEqual(yield* left, [1, 0, 1])
      }).pipe(Effect.provide(layer({ config, dialer: dialer((target) => targets.push(target)) })))
    })
  }
})
