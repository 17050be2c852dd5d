/**
 * Sockets that are read into buffers that they share: every byte arrives as it was
 * sent, however slow its receiver is, and the same where Node's internals are not to
 * be had.
 */
import type { Socket } from "node:net"
import { Duplex } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeInternals from "../../src/network/NodeInternals.ts"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import { ReadBuffers, readSize } from "../../src/network/ReadBuffers.ts"
import type { Mover, Transport } from "../../src/network/Transport.ts"
import { pair } from "../../src/testing/index.ts"
import * as Sockets from "../support/sockets.ts"
import { pattern, receiveAll, sendAll } from "../support/streams.ts"
import { until } from "../support/until.ts"

/** Does without Node's internals. */
const withoutInternals = (socket: Socket): Socket => {
  const { _handle } = socket as unknown as { readonly _handle: object }
  Object.defineProperty(_handle, "useUserBuffer", { value: undefined })
  return socket
}

/** Goes on as the relay does. */
const moverTo = (to: Transport): Mover => ({
  moved: () => {},
  missed: () => {},
  drained: () => {},
  ended: () => to.end(),
  closed: () => {}
})

/** A relay in one direction: what is written to `sender` comes out of `receiver`. */
const relayed = Effect.fnUntraced(function* (
  buffers: ReadBuffers,
  prepare: (socket: Socket) => Socket,
  most?: number
) {
  const [sender, near] = yield* Sockets.ends({ allowHalfOpen: true })
  const [far, receiver] = yield* Sockets.ends({ allowHalfOpen: true })
  const from = NodeTransport.make(prepare(near), { buffers })
  const to = NodeTransport.make(prepare(far), { buffers })
  const mover = moverTo(to)
  from.relayTo(to, mover, most)
  to.relayTo(from, { ...moverTo(from), drained: () => from.resume() }, undefined)
  from.resume()
  return { sender, receiver, near, far, from, to }
})

const size = 3_000_000

for (const [name, prepare] of [
  ["with Node's internals", (socket: Socket) => socket],
  ["without them", withoutInternals]
] as const) {
  describe(`relays that share buffers, ${name}`, () => {
    it.live("deliver each connection's own bytes, fast or slow, whole and in order", () =>
      Effect.gen(function* () {
        const buffers = new ReadBuffers()
        const all = yield* Effect.forEach([0, 1, 2, 3, 4, 5, 6, 7], (seed) =>
          Effect.map(
            relayed(buffers, prepare, seed === 3 ? 1000 : seed === 4 ? 100_000 : undefined),
            (relay) => ({
              ...relay,
              seed,
              sent: Buffer.from(pattern(seed === 3 ? size / 10 : size, seed))
            })
          )
        )
        const received = yield* Effect.promise(() =>
          Promise.all(
            all.map(async ({ sender, receiver, sent, seed }) => {
              const receiving = receiveAll(receiver, seed % 2 === 0)
              await sendAll(sender, sent, seed)
              return receiving
            })
          )
        )
        for (const [i, { sent }] of all.entries()) assert.isTrue(received[i]!.equals(sent), `relay ${i}`)
      }).pipe(Effect.scoped)
    )

    it.live("stop reading for a receiver that does not read, and go on when it does", () =>
      Effect.gen(function* () {
        const { sender, receiver, to } = yield* relayed(new ReadBuffers(), prepare)
        receiver.pause()
        const sent = Buffer.from(pattern(20_000_000))
        sender.end(sent)
        yield* until(() => to.unsent > 0)
        let held = -1
        yield* until(() => {
          const isStill = held === sender.bytesWritten - sender.writableLength
          held = sender.bytesWritten - sender.writableLength
          return isStill
        })
        assert.isAbove(sender.writableLength, 0)
        assert.isAtMost(to.unsent, 256 * 1024)
        receiver.resume()
        assert.isTrue((yield* Effect.promise(() => receiveAll(receiver, false))).equals(sent))
      }).pipe(Effect.scoped)
    )
  })
}

describe("a relay with Node's internals", () => {
  it.live("allocates no memory for bytes that can be written at once", () =>
    Effect.gen(function* () {
      const { sender, receiver, far } = yield* relayed(new ReadBuffers(), (socket) => socket)
      const memories = new Set<unknown>()
      const write = far.write.bind(far)
      far.write = ((chunk: Buffer, ...rest: ReadonlyArray<never>) => {
        memories.add(chunk.buffer)
        return write(chunk, ...rest)
      }) as typeof far.write
      let count = 0
      receiver.on("data", ({ length }: Buffer) => {
        count += length
      })
      for (let i = 1; i <= 50; i++) {
        sender.write(pattern(1000, i))
        yield* until(() => count === 1000 * i)
      }
      assert.strictEqual(memories.size, 1)
    }).pipe(Effect.scoped)
  )

  it.live("does not overwrite bytes that wait to be written, and resets if it has", () =>
    Effect.gen(function* () {
      const { sender, receiver, near, from, to } = yield* relayed(new ReadBuffers(), (socket) => socket)
      receiver.pause()
      // Reset at the end, with bytes that are still to be sent.
      sender.on("error", () => {})
      sender.write(pattern(30_000_000))
      yield* until(() => to.unsent > readSize)
      const { bytesRead } = near
      from.resume()
      from.resume()
      yield* Effect.sleep("50 millis")
      assert.strictEqual(near.bytesRead, bytesRead)
      assert.isFalse(from.isClosed)
      // Behind the transport's back.
      near.resume()
      yield* until(() => from.isClosed)
      assert.strictEqual(from.failure?.message, "read too early")
    }).pipe(Effect.scoped)
  )

  it.live("keeps bytes that come while it is paused, stops the socket, and gives all of them in order", () =>
    Effect.gen(function* () {
      const [sender, near] = yield* Sockets.ends({ allowHalfOpen: true })
      const transport = NodeTransport.make(near, { buffers: new ReadBuffers() })
      const received: Array<Buffer> = []
      let hasEnded = false
      transport.listen({
        received: (bytes) => received.push(Buffer.from(bytes)),
        ended: () => {
          hasEnded = true
        },
        closed: () => {}
      })
      transport.pause()
      const sent = Buffer.from(pattern(3_000_000))
      sender.end(sent)
      yield* until(() => near.bytesRead > 0)
      yield* Effect.sleep("50 millis")
      // The stream asks for more until it holds as much as it may: 16 KiB on Node 20, 64 KiB on later ones.
      assert.isAtMost(near.bytesRead, Math.max(readSize, near.readableHighWaterMark))
      assert.deepStrictEqual(received, [])
      for (let turn = 0; turn < 20; turn++) {
        transport.resume()
        yield* Effect.sleep("1 millis")
        transport.pause()
      }
      transport.resume()
      yield* until(() => hasEnded)
      assert.isTrue(Buffer.concat(received).equals(sent))
    }).pipe(Effect.scoped)
  )

  it.live("gives shared bytes to no stream that could keep them", () =>
    Effect.gen(function* () {
      const kept: Array<Buffer> = []
      const keeping = new Duplex({
        write: (chunk: Buffer, _, done) => {
          kept.push(chunk)
          done()
        },
        read: () => {}
      })
      const [sender, near] = yield* Sockets.ends()
      const from = NodeTransport.make(near, { buffers: new ReadBuffers() })
      const to = NodeTransport.make(keeping)
      from.relayTo(to, moverTo(to), undefined)
      from.resume()
      const sent = Buffer.from(pattern(1_000_000))
      sender.write(sent)
      yield* until(() => kept.reduce((sum, { length }) => sum + length, 0) === sent.length)
      assert.isTrue(Buffer.concat(kept).equals(sent))
    }).pipe(Effect.scoped)
  )

  it.live("works for sockets of an app when they are relayed", () =>
    Effect.gen(function* () {
      const [sender, near] = yield* Sockets.ends()
      const [far, receiver] = yield* Sockets.ends()
      const buffers = new ReadBuffers()
      const from = NodeTransport.make(near)
      const to = NodeTransport.make(far, { buffers })
      from.relayTo(to, moverTo(to), undefined)
      from.resume()
      const received: Array<Buffer> = []
      receiver.on("data", (chunk: Buffer) => void received.push(chunk))
      let events = 0
      near.on("data", () => events++)
      const sent = Buffer.from(pattern(500_000))
      sender.write(sent)
      yield* until(() => Buffer.concat(received).equals(sent))
      assert.strictEqual(events, 0)
    }).pipe(Effect.scoped)
  )
})

describe("NodeInternals", () => {
  const deliver = () => true
  const buffer = Buffer.alloc(100)
  const readInto = (stream: Duplex) => NodeInternals.readInto(stream, buffer, deliver, () => buffer)

  it.live("reports that they are missing", () =>
    Effect.gen(function* () {
      const [one, other] = yield* Sockets.ends()
      assert.isFalse(readInto(pair()[0]))
      assert.isTrue(readInto(one))
      assert.isTrue(readInto(one))
      // Its owner reads it into a buffer already.
      assert.isFalse(
        NodeInternals.readInto(
          one,
          buffer,
          () => true,
          () => buffer
        )
      )
      assert.isFalse(readInto(withoutInternals(other)))
      one.destroy()
      assert.isFalse(readInto(one))
    }).pipe(Effect.scoped)
  )

  it.live("takes earlier and later bytes in order", () =>
    Effect.gen(function* () {
      const [sender, receiver] = yield* Sockets.ends()
      const received: Array<Buffer> = []
      receiver.on("data", (chunk: Buffer) => {
        received.push(chunk)
        receiver.pause()
      })
      const sent = Buffer.from(pattern(300_000))
      sender.write(sent)
      yield* until(() => received.length === 1 && receiver.readableLength > 0)
      const taken: Array<Buffer> = []
      assert.isTrue(
        NodeInternals.readInto(
          receiver,
          buffer,
          function (count, from) {
            if (this.readableLength > 0) return this.push(Buffer.from(from.subarray(0, count)))
            taken.push(Buffer.from(from.subarray(0, count)))
            return true
          },
          () => buffer
        )
      )
      receiver.removeAllListeners("data").on("data", (chunk: Buffer) => void received.push(chunk))
      receiver.resume()
      yield* until(() => Buffer.concat([...received, ...taken]).length === sent.length)
      assert.isTrue(Buffer.concat([...received, ...taken]).equals(sent))
    }).pipe(Effect.scoped)
  )
})
