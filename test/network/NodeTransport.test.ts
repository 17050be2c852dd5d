/**
 * A connection as protocols and the relay see it, on a stream: whoever listens
 * hears all of it, once, and nothing of what came before.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import { pair, peer } from "../../src/testing/index.ts"
import { noting } from "../support/noting.ts"
import { settled } from "../support/streams.ts"

const connected = Effect.sync(() => {
  const [near, far] = pair()
  return { near, far, remote: peer(near), transport: NodeTransport.make(far) }
})

describe("NodeTransport", () => {
  it.effect("gives bytes to its receiver, and then to the next receiver", () =>
    Effect.gen(function* () {
      const { remote, transport } = yield* connected
      const [first, second] = [noting(), noting()]
      transport.listen(first.receiver)
      transport.resume()
      yield* remote.send("one")
      yield* settled
      transport.listen(second.receiver)
      yield* remote.send("two")
      yield* remote.end
      yield* settled
      assert.isTrue(transport.hasEnded)
      transport.end()
      yield* settled
      assert.deepStrictEqual(first.events, ["one"])
      assert.deepStrictEqual(second.events, ["two", "ended", "closed"])
      assert.isTrue(transport.isClosed && transport.hasSentAll)
      assert.isUndefined(transport.failure)
    })
  )

  it.effect("reads from a paused stream as soon as it has a receiver", () =>
    Effect.gen(function* () {
      const [near, far] = pair()
      far.pause()
      const transport = NodeTransport.make(far)
      const { events, receiver } = noting()
      yield* peer(near).send("early")
      yield* settled
      transport.listen(receiver)
      yield* settled
      assert.deepStrictEqual(events, ["early"])
    })
  )

  it.effect("reads nothing before it has a receiver, and while it is paused", () =>
    Effect.gen(function* () {
      const { remote, transport } = yield* connected
      const { events, receiver } = noting()
      transport.pause()
      transport.listen(receiver)
      yield* remote.send("one")
      yield* settled
      assert.deepStrictEqual(events, [])
      transport.resume()
      yield* settled
      transport.pause()
      yield* remote.send("two")
      yield* settled
      assert.deepStrictEqual(events, ["one"])
      yield* remote.reset
    })
  )

  it.effect("reports a reset, and no end", () =>
    Effect.gen(function* () {
      const { remote, transport } = yield* connected
      const { events, receiver } = noting()
      transport.listen(receiver)
      let closings = 0
      transport.whenClosed(() => closings++)
      transport.resume()
      yield* remote.reset
      yield* settled
      assert.deepStrictEqual(events, ["closed"])
      assert.strictEqual(closings, 1)
      assert.isFalse(transport.hasEnded)
      assert.strictEqual((transport.failure as NodeJS.ErrnoException).code, "ECONNRESET")
    })
  )

  it.effect("reports the close once to a receiver that comes after it", () =>
    Effect.gen(function* () {
      const { far, transport } = yield* connected
      const [late, mover] = [noting(), noting()]
      transport.close()
      yield* settled
      let closings = 0
      transport.whenClosed(() => closings++)
      transport.listen(late.receiver)
      yield* settled
      transport.relayTo(NodeTransport.make(pair()[0]), mover.mover, undefined)
      yield* settled
      assert.deepStrictEqual(late.events, ["closed"])
      assert.deepStrictEqual(mover.events, ["closed"])
      assert.strictEqual(closings, 1)

      // One of a stream that was closed before.
      const again = noting()
      NodeTransport.make(far).listen(again.receiver)
      yield* settled
      assert.deepStrictEqual(again.events, ["closed"])
    })
  )

  it.effect("passes bytes on, and reports their number", () =>
    Effect.gen(function* () {
      const [from, to] = [yield* connected, yield* connected]
      const { events, mover } = noting()
      from.transport.relayTo(to.transport, mover, undefined)
      from.transport.resume()
      yield* from.remote.send("12345")
      yield* settled
      assert.strictEqual(String(Buffer.from(yield* to.remote.receive(5))), "12345")
      to.transport.close()
      yield* from.remote.send("678")
      yield* settled
      assert.deepStrictEqual(events, ["moved 5", "missed"])
      yield* from.remote.reset
      yield* settled
      assert.deepStrictEqual(events, ["moved 5", "missed", "closed"])
    })
  )

  it.effect("stops reading when the other side does not read, and reports when it has caught up", () =>
    Effect.gen(function* () {
      const from = yield* connected
      const [slow, end] = pair()
      const to = NodeTransport.make(end)
      const [moved, drained] = [noting(), noting()]
      from.transport.relayTo(to, moved.mover, undefined)
      to.relayTo(from.transport, drained.mover, undefined)
      from.transport.resume()
      for (let i = 0; i < 64; i++) yield* from.remote.send(new Uint8Array(16 * 1024))
      yield* settled
      assert.isAbove(to.unsent, 0)
      assert.isTrue(from.far.isPaused())
      assert.isAbove(from.near.writableLength, 0)
      slow.resume()
      yield* settled
      assert.isFalse(to.isFull)
      assert.include(drained.events, "drained")
      yield* from.remote.reset
    })
  )

  it.effect("hands its stream over, with the unread bytes first", () =>
    Effect.gen(function* () {
      const { far, remote, transport } = yield* connected
      const { events, receiver } = noting()
      transport.listen(receiver)
      transport.resume()
      yield* remote.send("first")
      yield* settled
      const stream = transport.handOver(Buffer.from("unread, "))
      assert.strictEqual(stream, far)
      yield* remote.send("later")
      yield* settled
      assert.strictEqual(String(stream.read()), "unread, later")
      assert.deepStrictEqual(events, ["first"])
      // It is still what carries the bytes.
      NodeTransport.make(pair()[0], { carrier: transport }).reset()
      assert.isTrue(far.destroyed)
    })
  )
})
