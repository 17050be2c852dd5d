/**
 * Bandwidth on real connections: the rate is right, and bytes come evenly.
 *
 * @module-tag transport
 */
import { createServer, get } from "node:http"
import type { AddressInfo } from "node:net"
import { connect } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { peer } from "../../src/testing/index.ts"
import { certificate } from "../support/certificates.ts"
import { datagram, greeting, request } from "../support/messages.ts"
import { itNeeds } from "../support/needs.ts"
import * as Program from "../support/program.ts"
import { measured, pour, type Rate } from "../support/rates.ts"
import { proxy, server } from "../support/servers.ts"
import { listen, tunnel } from "../support/sockets.ts"
import { pattern } from "../support/streams.ts"
import { directory } from "../support/temporary.ts"
import { associate, open } from "../support/udp.ts"

const KiB = 1024
const MiB = 1024 * KiB
const both = (rate: number) => ({ upload: rate, download: rate })

/** Allows for a machine that is late by a second of three. How exact rates are is tested with a clock that stands still. */
const assertRate = ({ rate, gap }: Rate, expected: number) => {
  assert.closeTo(rate / expected, 1, 0.35)
  // A second if bytes came in bursts of a second's worth.
  assert.isBelow(gap, 0.5)
}

/** Both ends of a session through this proxy. */
const session = Effect.fnUntraced(function* (port: number) {
  const target = yield* listen()
  const client = yield* tunnel(port, target.port)
  return { client: client.duplex, target: (yield* target.accept).duplex }
})

// A busy machine is late now and then.
describe("Bandwidth", { concurrent: true, retry: 2 }, () => {
  for (const rate of [64 * KiB, 256 * KiB, 2 * MiB]) {
    it.live(`is ${rate / KiB} KiB a second each way with this limit of a session`, () =>
      Effect.gen(function* () {
        const { client, target } = yield* session(yield* proxy())
        pour(client)
        pour(target)
        for (const way of yield* measured([client, target], 4)) assertRate(way, rate)
      }).pipe(Effect.provide(server({ bandwidthSession: both(rate) })))
    )
  }

  it.live("loses no byte, and passes on the end", () =>
    Effect.gen(function* () {
      const bytes = Buffer.from(pattern(1_000_000))
      const target = yield* listen()
      const client = yield* tunnel(yield* proxy(), target.port)
      const origin = yield* target.accept
      for (const peer of [client, origin]) {
        yield* peer.send(bytes)
        yield* peer.end
      }
      const [up, down] = yield* Effect.all([origin.rest, client.rest], { concurrency: "unbounded" })
      assert.isTrue(bytes.equals(up) && bytes.equals(down))
      assert.deepStrictEqual([yield* origin.ending, yield* client.ending], ["end", "end"])
    }).pipe(Effect.provide(server({ bandwidthSession: { upload: 500 * KiB, download: 2 * MiB } })))
  )

  it.live("is shared evenly by sessions", () =>
    Effect.gen(function* () {
      const port = yield* proxy()
      const sessions = yield* Effect.forEach([1, 2, 3, 4], () => session(port))
      for (const { target } of sessions) pour(target)
      const rates = yield* measured(
        sessions.map(({ client }) => client),
        4
      )
      for (const { rate } of rates) assert.closeTo(rate / MiB, 1, 0.35)
    }).pipe(Effect.provide(server({ bandwidthUser: both(4 * MiB) })))
  )

  it.live("holds for bodies of HTTP", () =>
    Effect.gen(function* () {
      const origin = createServer((_, response) => pour(response as never))
      yield* Effect.acquireRelease(
        Effect.callback<void>((resume) => {
          origin.listen(0, "127.0.0.1", () => resume(Effect.void))
        }),
        () => Effect.sync(() => origin.close().closeAllConnections())
      )
      const port = yield* proxy()
      const path = `http://127.0.0.1:${(origin.address() as AddressInfo).port}/`
      const response = yield* Effect.callback<never>((resume) => {
        const asked = get({ host: "127.0.0.1", port, path }, (it) => resume(Effect.succeed(it as never)))
        asked.on("error", () => {})
      })
      const [download] = yield* measured([response], 3)
      assertRate(download!, 256 * KiB)
    }).pipe(Effect.provide(server({ bandwidthSession: both(256 * KiB) })))
  )

  it.live("drops datagrams beyond the limit", () =>
    Effect.gen(function* () {
      const association = yield* associate(yield* proxy())
      const [client, target] = [yield* open(), yield* open()]
      let received = 0
      target.socket.on("message", ({ length }) => {
        received += length
      })
      const message = datagram("127.0.0.1", target.port, new Uint8Array(1000))
      const began = performance.now()
      while (performance.now() - began < 3000) {
        for (let i = 0; i < 5; i++) yield* client.send(message, association.port)
        yield* Effect.sleep("4 millis")
      }
      const seconds = (performance.now() - began) / 1000
      yield* Effect.sleep("100 millis")
      // The first quarter of a second's worth is let pass. Sent are ten times as many.
      assert.closeTo(received / ((seconds + 0.25) * 100_000), 1, 0.4)
    }).pipe(Effect.provide(server({ bandwidthSession: both(100_000) })))
  )
})

describe("Bandwidth over TLS", { retry: 2 }, () => {
  itNeeds("openssl")("is right, and each way its own", () =>
    Effect.gen(function* () {
      const { certFile, keyFile, cert } = certificate(yield* directory, "server", "/CN=localhost")
      const { port } = yield* Program.start([
        ...["--listen", "tls:127.0.0.1:0", "--tls-cert", certFile, "--tls-key", keyFile],
        ...["--bandwidth-session", "256KiB/1MiB"]
      ])
      const target = yield* listen()
      const client = connect({ host: "127.0.0.1", port, servername: "localhost", ca: cert })
      yield* Effect.addFinalizer(() => Effect.sync(() => client.destroy()))
      const { send, receive } = peer(client)
      yield* send([...greeting(0x00), ...request("127.0.0.1", target.port)])
      yield* receive(12)
      const origin = (yield* target.accept).duplex
      pour(client)
      pour(origin)
      const [upload, download] = yield* measured([origin, client], 4)
      assertRate(upload!, 256 * KiB)
      assertRate(download!, MiB)
    })
  )
})
