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
  it.effect("gives what comes to the one that listens, and then to the next", () =>
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

  it.effect("reads from a stream that was paused before, as soon as somebody listens", () =>
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

  it.effect("reads nothing before it is told to, nor while it is paused", () =>
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

  it.effect("tells of a reset, and of nothing that would be an end", () =>
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

  it.effect("tells who comes after the end that it is over, once", () =>
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

  it.effect("passes on what comes, and says how much", () =>
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

  it.effect("stops reading for a side that does not read, and says when that has caught up", () =>
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

  it.effect("hands its stream over, with what was not read in front", () =>
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
