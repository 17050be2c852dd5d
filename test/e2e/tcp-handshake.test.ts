/**
 * The handshake over real TCP: however the bytes are cut, whatever the target
 * is, and with a client that does not play along.
 *
 * @module-tag transport
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Policy } from "../../src/index.ts"
import { greeting, reply, request } from "../support/messages.ts"
import * as Program from "../support/program.ts"
import { proxy, serverOf } from "../support/servers.ts"
import { ask, connect, hasIPv6, listen } from "../support/sockets.ts"

const v6Loopback = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]

layer(Program.layer(["--handshake-timeout", "3s", "--log-level", "debug"]), {
  excludeTestServices: true,
  concurrent: true
})("A handshake over TCP", (it) => {
  it.effect("takes greeting, request and payload in one segment", () =>
    Effect.gen(function* () {
      const { port } = yield* Program.Program
      const target = yield* listen()
      const client = yield* connect(port)
      yield* client.send([...greeting(0x00), ...request("127.0.0.1", target.port), 0x68, 0x69])
      const accepted = yield* target.accept
      assert.deepStrictEqual([...(yield* accepted.receive(2))], [0x68, 0x69])
      yield* accepted.send("hello")
      assert.strictEqual(new TextDecoder().decode((yield* client.receive(2 + 10 + 5)).subarray(12)), "hello")
    })
  )

  it.effect("takes one byte at a time", () =>
    Effect.gen(function* () {
      // With the default timeout: on a busy machine so many pauses take longer than three seconds.
      const { port } = yield* Program.start()
      const target = yield* listen()
      const client = yield* connect(port)
      for (const byte of [...greeting(0x02, 0x00), ...request("localhost", target.port), 0x68, 0x69]) {
        yield* client.send([byte])
        yield* Effect.sleep("5 millis")
      }
      const accepted = yield* target.accept
      assert.deepStrictEqual([...(yield* accepted.receive(2))], [0x68, 0x69])
      assert.deepStrictEqual([...(yield* client.receive(4))], [0x05, 0x00, 0x05, 0x00])
    })
  )

  it.effect("replies with the outgoing address that the target sees, IPv4", () =>
    Effect.gen(function* () {
      const { port } = yield* Program.Program
      const target = yield* listen()
      const client = yield* connect(port)
      yield* client.send([...greeting(0x00), ...request("127.0.0.1", target.port)])
      const { duplex } = yield* target.accept
      const bound = [0x01, 127, 0, 0, 1, duplex.remotePort! >> 8, duplex.remotePort! & 0xff]
      assert.deepStrictEqual([...(yield* client.receive(12))], [0x05, 0x00, ...reply(0x00, bound)])
    })
  )

  it.effect.runIf(hasIPv6)("names the outgoing socket's address as the target sees it, IPv6", () =>
    Effect.gen(function* () {
      const { port } = yield* Program.Program
      const target = yield* listen("::1")
      const client = yield* connect(port)
      yield* client.send([...greeting(0x00), ...request(v6Loopback, target.port)])
      const { duplex } = yield* target.accept
      const bound = [0x04, ...v6Loopback, duplex.remotePort! >> 8, duplex.remotePort! & 0xff]
      assert.deepStrictEqual([...(yield* client.receive(24))], [0x05, 0x00, ...reply(0x00, bound)])
    })
  )

  it.effect("answers 05 if no program listens", () =>
    Effect.gen(function* () {
      const { port } = yield* Program.Program
      const free = yield* Effect.scoped(listen())
      const { client, code } = yield* ask(port, "127.0.0.1", free.port)
      assert.strictEqual(code, 0x05)
      assert.strictEqual(yield* client.ending, "end")
    })
  )

  it.effect("answers 03 without a route", () =>
    Effect.gen(function* () {
      // No TCP connection leads to a broadcast address, on any machine.
      const { code } = yield* ask(yield* proxy(), [255, 255, 255, 255], 80)
      assert.strictEqual(code, 0x03)
    }).pipe(Effect.provide(serverOf({ policy: Policy.layerAnything })))
  )

  it.effect("answers 02 if the policy denies the target", () =>
    Effect.gen(function* () {
      const { port } = yield* Program.Program
      const { code } = yield* ask(port, [255, 255, 255, 255], 80)
      assert.strictEqual(code, 0x02)
    })
  )

  const failures = {
    "no method in common": { sends: greeting(0x80), gets: [0x05, 0xff] },
    "an unknown command": {
      sends: [...greeting(0x00), ...request("127.0.0.1", 80, 0x09)],
      gets: [0x05, 0x00, ...reply(0x07)]
    },
    "an unknown address type": {
      sends: [...greeting(0x00), 0x05, 0x01, 0x00, 0x02],
      gets: [0x05, 0x00, ...reply(0x08)]
    },
    "a target that refuses": {
      sends: [...greeting(0x00), ...request("127.0.0.1", 1)],
      gets: [0x05, 0x00, ...reply(0x05)]
    }
  }
  for (const [name, { sends, gets }] of Object.entries(failures)) {
    it.effect(`delivers its reply to ${name} whole, whatever else the client has sent`, () =>
      Effect.gen(function* () {
        const { port } = yield* Program.Program
        const client = yield* connect(port)
        client.duplex.pause()
        yield* client.send([...sends, ...new Array(200_000).fill(0x58)])
        yield* Effect.sleep("300 millis")
        yield* client.send("more of it")
        yield* Effect.sleep("50 millis")
        client.duplex.resume()
        assert.deepStrictEqual([...(yield* client.rest)], gets)
        assert.strictEqual(yield* client.ending, "end")
      })
    )
  }

  it.effect("ends after the handshake timeout, whatever the client sends", () =>
    Effect.gen(function* () {
      const program = yield* Program.Program
      const client = yield* connect(program.port)
      const { localPort } = client.duplex
      const bytes = [...greeting(0x00), ...request("x".repeat(250), 80)]
      const sending = Effect.forEach(
        bytes,
        (byte) => Effect.andThen(client.send([byte]), Effect.sleep("200 millis")),
        { discard: true }
      )
      // All of it takes 50 seconds.
      yield* Effect.raceFirst(sending, client.ending)
      yield* client.end
      const { outcome } = yield* program.session(localPort!)
      assert.strictEqual(outcome, "HandshakeTimeout")
    })
  )
})
