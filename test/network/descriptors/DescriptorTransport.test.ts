/**
 * A connection on a descriptor, over a kernel in memory that can be told to be full, to fail and to interrupt.
 */
import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import { DescriptorTransport } from "../../../src/network/descriptors/DescriptorTransport.ts"
import { Ready } from "../../../src/network/descriptors/System.ts"
import type { Mover, Transport } from "../../../src/network/Transport.ts"
import * as Kernel from "../../support/kernel.ts"
import { noting } from "../../support/noting.ts"

/** A connection that is read. */
const reading = () => {
  const kernel = Kernel.make()
  const connection = kernel.connection()
  const { events, receiver } = noting()
  connection.transport.listen(receiver)
  connection.transport.resume()
  return { kernel, ...connection, events }
}

/** Passes on both ways, as the relay does. */
const relaying = () => {
  const kernel = Kernel.make()
  const [client, target] = [kernel.connection(), kernel.connection()]
  const events: Array<string> = []
  const mover = (name: string, other: Transport): Mover => ({
    moved: (bytes) => void events.push(`${name} moved ${bytes}`),
    missed: () => void events.push(`${name} missed`),
    drained: () => other.resume(),
    ended: () => {
      events.push(`${name} ended`)
      other.end()
    },
    closed: () => void events.push(`${name} closed`)
  })
  client.transport.relayTo(target.transport, mover("client", target.transport), undefined)
  target.transport.relayTo(client.transport, mover("target", client.transport), undefined)
  client.transport.resume()
  target.transport.resume()
  return { kernel, client, target, events }
}

const full = Buffer.alloc(64 * 1024, "0123456789abcdef")

describe("reading from a descriptor", () => {
  it("gives what came, then the end, and closes when both sides have ended", () => {
    const { kernel, socket, fd, transport, events } = reading()
    socket.receive("one")
    kernel.turn([fd, Ready.input])
    socket.receive("two").incoming.push("end")
    kernel.turn([fd, Ready.input | Ready.ended])
    assert.deepStrictEqual(events, ["one", "two", "ended"])
    assert.isTrue(transport.hasEnded && transport.isWritable && !transport.isClosed)
    transport.end()
    assert.isTrue(transport.isClosed && transport.hasSentAll)
    kernel.turn()
    assert.deepStrictEqual(events.slice(3), ["closed"])
    assert.isFalse(kernel.open.has(fd))
    // Closing sends the FIN.
    assert.strictEqual(kernel.count("shutdown"), 0)
  })

  it("reads again after an interrupt, and waits after EAGAIN", () => {
    const { kernel, socket, fd, events } = reading()
    socket.receive({ code: "EINTR" }, "one", { code: "EAGAIN" })
    kernel.turn([fd, Ready.input])
    assert.deepStrictEqual(events, ["one"])
    kernel.turn()
    assert.deepStrictEqual(events, ["one"])
  })

  it("reads nothing while it is paused, and forgets no event", () => {
    const { kernel, socket, fd, transport, events } = reading()
    transport.pause()
    socket.receive("one")
    kernel.turn([fd, Ready.input])
    assert.strictEqual(kernel.count("read"), 0)
    transport.resume()
    assert.deepStrictEqual(events, [])
    kernel.turn()
    assert.deepStrictEqual(events, ["one"])
  })

  it("gives the bytes before a reset, and then the reset", () => {
    const { kernel, socket, fd, transport, events } = reading()
    socket.receive("last", { code: "ECONNRESET" })
    kernel.turn([fd, Ready.input | Ready.error | Ready.hungUp])
    kernel.turn()
    assert.deepStrictEqual(events, ["last", "closed"])
    assert.strictEqual((transport.failure as NodeJS.ErrnoException).code, "ECONNRESET")
    assert.isFalse(transport.hasEnded)
  })

  it("hears of a reset behind the end, which no read tells", () => {
    const { kernel, socket, fd, transport, events } = reading()
    socket.incoming.push("end")
    kernel.turn([fd, Ready.input | Ready.ended])
    socket.pending = "EPIPE"
    kernel.turn([fd, Ready.error | Ready.hungUp])
    kernel.turn()
    assert.deepStrictEqual(events, ["ended", "closed"])
    assert.isTrue(transport.hasEnded && transport.isClosed)
  })

  it("closes when it has broken behind the end, and a write has taken the error", () => {
    const { kernel, socket, fd, transport, events } = reading()
    const failures: Array<string> = []
    transport.keepReading?.(({ message }) => void failures.push(message))
    socket.incoming.push("end")
    kernel.turn([fd, Ready.input | Ready.ended])
    socket.refusals.push("EPIPE")
    transport.write(Buffer.from("lost"))
    kernel.turn([fd, Ready.error | Ready.hungUp])
    kernel.turn()
    assert.deepStrictEqual([events, failures, kernel.reports], [["ended", "closed"], ["write EPIPE"], []])
  })

  it("gives others their turn after some pieces", () => {
    const kernel = Kernel.make()
    const order: Array<string> = []
    const connections = ["one", "other"].map((name) => {
      const connection = kernel.connection()
      connection.transport.listen({ ...noting().receiver, received: () => void order.push(name) })
      connection.transport.resume()
      connection.socket.receive(...Array.from({ length: 4 }, () => full.subarray(0, 16 * 1024)))
      return connection
    })
    kernel.turn(...connections.map(({ fd }) => [fd, Ready.input] as const))
    const [one, other] = ["one", "other"].map((name) => [name, name])
    assert.deepStrictEqual(order, [one, other, one, other].flat())
  })

  it("drops an event of the connection that had the number before", () => {
    const { kernel, fd, transport } = reading()
    const { generation } = transport
    transport.close()
    const next = kernel.connection()
    assert.strictEqual(next.fd, fd)
    const { events, receiver } = noting()
    next.transport.listen(receiver)
    next.transport.resume()
    next.socket.receive("of the next")
    kernel.stale(fd, generation)
    assert.deepStrictEqual(events, [])
    kernel.turn([fd, Ready.input])
    assert.deepStrictEqual(events, ["of the next"])
  })

  it("ends a connection whose receiver throws, and no other", () => {
    const kernel = Kernel.make()
    const [one, other] = [kernel.connection(), kernel.connection()]
    const { events, receiver } = noting()
    one.transport.listen({
      ...receiver,
      received: () => {
        throw new Error("a defect")
      }
    })
    other.transport.listen(receiver)
    for (const { transport, socket } of [one, other]) {
      transport.resume()
      socket.receive("bytes")
    }
    kernel.turn([one.fd, Ready.input], [other.fd, Ready.input])
    assert.deepStrictEqual(events, ["bytes", "closed"])
    assert.deepStrictEqual(kernel.reports.map(String), ["Error: a defect"])
    assert.isTrue(one.transport.isClosed && one.socket.isReset && !other.transport.isClosed)
  })
})

describe("writing to a descriptor", () => {
  it("sends at once what the system takes, and the rest when it takes more", () => {
    const { kernel, socket, fd, transport } = reading()
    socket.room = 4
    const taken: Array<string> = []
    transport.write(Buffer.from("one two"), () => taken.push("first"))
    transport.write(Buffer.from(" three"), () => taken.push("second"))
    transport.end(() => taken.push("end"))
    assert.deepStrictEqual([socket.text, transport.unsent, transport.hasSentAll], ["one ", 9, false])
    assert.isFalse(transport.isWritable)
    socket.room = 5
    kernel.turn([fd, Ready.output])
    assert.deepStrictEqual(taken, ["first"])
    socket.room = 100
    kernel.turn([fd, Ready.output])
    assert.deepStrictEqual(taken, ["first", "second", "end"])
    assert.deepStrictEqual([socket.text, socket.isShut, transport.unsent], ["one two three", true, 0])
  })

  it("cuts what is larger than a region of the memory", () => {
    const { socket, transport } = reading()
    const large = Buffer.concat([full, full, Buffer.from("end")])
    transport.write(large)
    assert.isTrue(Buffer.concat(socket.sent).equals(large))
  })

  it("waits after ENOBUFS for no event, as there is none", async () => {
    const { socket, transport } = reading()
    socket.refusals.push("ENOBUFS")
    await new Promise<void>((done) => transport.write(Buffer.from("bytes"), done))
    assert.strictEqual(socket.text, "bytes")
  })

  it("closes when the other side is gone, and calls back for what is lost", () => {
    const { kernel, socket, fd, transport, events } = reading()
    socket.room = 0
    const lost: Array<string> = []
    transport.write(Buffer.from("bytes"), () => lost.push("bytes"))
    socket.refusals.push("EPIPE")
    kernel.turn([fd, Ready.output | Ready.error])
    assert.deepStrictEqual(lost, ["bytes"])
    assert.deepStrictEqual([transport.isClosed, transport.hasSentAll], [true, false])
    kernel.turn()
    assert.deepStrictEqual(events, ["closed"])
    transport.write(Buffer.from("more"), () => lost.push("more"))
    assert.deepStrictEqual(lost, ["bytes", "more"])
  })

  it("resets TCP, and closes a socket that has no reset", () => {
    const { kernel, socket, transport } = reading()
    transport.reset()
    assert.isTrue(socket.isReset)
    const unix = new Kernel.FakeSocket()
    kernel.open.set(40, unix)
    new DescriptorTransport(kernel.loop, 40, false, true).reset()
    assert.isTrue(!unix.isReset && !kernel.open.has(40))
  })
})

describe("a relay between descriptors", () => {
  it("copies small pieces, and passes both ends on", () => {
    const { kernel, client, target, events } = relaying()
    client.socket.receive("question")
    target.socket.receive("answer")
    kernel.turn([client.fd, Ready.input], [target.fd, Ready.input])
    client.socket.incoming.push("end")
    kernel.turn([client.fd, Ready.input | Ready.ended])
    assert.deepStrictEqual([client.socket.text, target.socket.text], ["answer", "question"])
    assert.isTrue(target.socket.isShut)
    target.socket.incoming.push("end")
    kernel.turn([target.fd, Ready.input | Ready.ended])
    kernel.turn()
    assert.deepStrictEqual(events, [
      ...["client moved 8", "target moved 6", "client ended", "target ended"],
      ...["client closed", "target closed"]
    ])
    assert.strictEqual(kernel.count("splice"), 0)
  })

  it("splices what comes fast, and loses nothing when the other side is slow", () => {
    const { kernel, client, target } = relaying()
    const sent = Array.from({ length: 40 }, (_, index) => Buffer.concat([full, Buffer.from(String(index))]))
    client.socket.receive(...sent)
    target.socket.room = 100_000
    kernel.turn([client.fd, Ready.input])
    assert.isAbove(target.transport.unsent, 0)
    let turns = 0
    while (client.socket.incoming.length > 0 || target.transport.unsent > 0) {
      assert.isBelow(turns++, 1000)
      target.socket.room = 50_000
      kernel.turn([target.fd, Ready.output])
    }
    assert.isTrue(Buffer.concat(target.socket.sent).equals(Buffer.concat(sent)))
    assert.isAbove(kernel.count("splice"), 10)
  })

  it("copies where the system refuses to splice", () => {
    const { kernel, client, target } = relaying()
    client.socket.receive(full, full, full)
    kernel.fail("splice", "ENOSYS")
    kernel.turn([client.fd, Ready.input])
    kernel.turn()
    assert.strictEqual(Buffer.concat(target.socket.sent).length, 3 * full.length)
    assert.deepStrictEqual([kernel.count("splice"), kernel.pipes.isRefused], [1, true])
  })

  it("stops when it is paused between two pieces", () => {
    const { kernel, client, target } = relaying()
    client.transport.relayTo(
      target.transport,
      {
        ...{ missed: () => {}, drained: () => {}, ended: () => {}, closed: () => {} },
        moved: () => client.transport.pause()
      },
      4096
    )
    client.socket.receive(full)
    kernel.turn([client.fd, Ready.input])
    kernel.turn()
    assert.strictEqual(Buffer.concat(target.socket.sent).length, 4096)
    client.transport.resume()
    kernel.turn()
    assert.strictEqual(Buffer.concat(target.socket.sent).length, 8192)
  })

  it("tells what a closed side misses", () => {
    const { kernel, client, target, events } = relaying()
    target.transport.close()
    client.socket.receive("lost")
    kernel.turn([client.fd, Ready.input])
    assert.deepStrictEqual(events, ["client missed", "target closed"])
  })
})

describe("connecting", () => {
  const address = NetAddress.ipv4Loopback

  const connecting = () => {
    const kernel = Kernel.make()
    const socket = new Kernel.FakeSocket()
    kernel.open.set(20, socket)
    const outcomes: Array<string> = []
    const transport = new DescriptorTransport(kernel.loop, 20, true, false)
    transport.connect(address, 80, (outcome) => void outcomes.push(String(outcome)))
    return { kernel, socket, outcomes, transport }
  }

  it("gives the local address, and sends what was written before", () => {
    const { kernel, socket, outcomes, transport } = connecting()
    transport.write(Buffer.from("early"))
    assert.deepStrictEqual([socket.text, outcomes], ["", []])
    kernel.turn([20, Ready.output])
    assert.deepStrictEqual([socket.text, outcomes], ["early", ["127.0.0.1:1235"]])
  })

  it("gives the code of a failure", async () => {
    const { kernel, socket, outcomes, transport } = connecting()
    socket.pending = "ECONNREFUSED"
    kernel.turn([20, Ready.error | Ready.hungUp | Ready.output])
    assert.deepStrictEqual(outcomes, [])
    await new Promise(setImmediate)
    assert.deepStrictEqual([outcomes, transport.isClosed], [["ECONNREFUSED"], true])
  })

  it("says nothing after it was closed", async () => {
    const { kernel, outcomes, transport } = connecting()
    transport.close()
    kernel.turn()
    await new Promise(setImmediate)
    assert.deepStrictEqual(outcomes, [])
  })
})
