/**
 * Frames of HTTP/2 in any order, whole and broken: the server neither dies of them nor keeps anything of them.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { SessionRegistry } from "../../../src/session/SessionRegistry.ts"
import { layer } from "../../../src/testing/index.ts"
import { block, dialTls, frame, preface } from "../../support/http2.ts"
import { settled } from "../../support/streams.ts"

const get = { ":method": "GET", ":scheme": "http", ":authority": "target.example", ":path": "/" }
const connect = { ":method": "CONNECT", ":authority": "target.example:443" }
const udp = {
  ...{ ":method": "CONNECT", ":protocol": "connect-udp", ":scheme": "https", ":authority": "a" },
  ":path": "/.well-known/masque/udp/target.example/53/"
}

const payload = fc.oneof(
  fc.constantFrom(
    ...[get, { ...get, ":method": "POST", "content-length": "4" }, connect, udp].map(block),
    Buffer.alloc(0),
    Buffer.alloc(4),
    Buffer.from([0, 0, 0, 8]),
    Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]),
    Buffer.alloc(8)
  ),
  fc.uint8Array({ maxLength: 40 })
)

/** HEADERS and DATA more often than others, on few streams. */
const frames = fc.array(
  fc
    .tuple(
      fc.oneof(fc.constantFrom(0, 0, 1, 1, 1, 3, 4, 6, 7, 8, 9), fc.nat(255)),
      fc.oneof(fc.constantFrom(0, 1, 4, 4, 5, 8, 0x20), fc.nat(255)),
      fc.constantFrom(0, 1, 1, 3, 3, 5, 7, 2, 0x7fffffff),
      payload
    )
    .map(([type, flags, stream, bytes]) => frame(type, flags, stream, bytes)),
  { minLength: 1, maxLength: 40 }
)

/** What was logged as an error. */
const errors = (found: Array<unknown>) =>
  Logger.layer([
    Logger.make(({ message, logLevel }) => {
      if (logLevel === "Error" || logLevel === "Fatal") found.push(message)
    })
  ])

it.effect("Frames of any kind leave no session behind, and no defect", () =>
  Effect.forEach(fc.sample(frames, 20), (all) => {
    const defects: Array<unknown> = []
    const bytes = Buffer.concat(all)
    return Effect.gen(function* () {
      const socket = yield* dialTls()
      const { census } = yield* SessionRegistry
      socket.on("error", () => {}).resume()
      socket.write(preface)
      const middle = bytes.length >> 1
      socket.write(bytes.subarray(0, middle))
      yield* settled
      socket.write(bytes.subarray(middle))
      yield* settled
      yield* settled
      socket.destroy()
      yield* settled
      yield* TestClock.adjust("15 minutes")
      yield* settled
      yield* TestClock.adjust("2 seconds")
      yield* settled
      const { sessions, associations, handshakes } = yield* census
      assert.deepStrictEqual(
        [sessions, associations, handshakes, defects],
        [0, 0, 0, []],
        bytes.toString("hex")
      )
    }).pipe(Effect.scoped, Effect.provide([layer(), errors(defects)]))
  })
)
