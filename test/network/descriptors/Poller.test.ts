/**
 * The event loop of descriptors, over a kernel in memory: what comes first, what waits, and what ends what.
 */
import { assert, describe, it } from "@effect/vitest"
import { DescriptorListener } from "../../../src/network/descriptors/DescriptorListener.ts"
import { Ready } from "../../../src/network/descriptors/System.ts"
import * as Kernel from "../../support/kernel.ts"

const listening = (onDescriptor?: (fd: number) => void) => {
  const kernel = Kernel.make()
  const accepted: Array<number> = []
  let shortages = 0
  kernel.open.set(50, new Kernel.FakeSocket())
  const listener = new DescriptorListener(50, {
    ...kernel.loop,
    onDescriptor: onDescriptor ?? ((fd) => void accepted.push(fd)),
    onShortage: () => shortages++
  })
  kernel.poller.watchListener(listener)
  return { kernel, listener, accepted, shortages: () => shortages }
}

const sockets = (count: number) => Array.from({ length: count }, () => new Kernel.FakeSocket())

describe("the event loop of descriptors", () => {
  it("accepts a few connections in a round, after those that are ready", () => {
    const order: Array<string> = []
    const { kernel } = listening(() => order.push("accepted"))
    const { transport, socket, fd } = kernel.connection()
    transport.listen({ received: () => void order.push("read"), ended: () => {}, closed: () => {} })
    transport.resume()
    socket.receive("bytes")
    kernel.connecting(...sockets(10))
    kernel.turn([50, Ready.input], [fd, Ready.input])
    assert.deepStrictEqual(order, ["read", ...Array.from({ length: 4 }, () => "accepted")])
  })

  it("goes past a client that is gone already", () => {
    const { kernel, accepted } = listening()
    const [socket] = sockets(1)
    kernel.connecting("ECONNABORTED", "EINTR", socket!)
    kernel.turn([50, Ready.input])
    assert.lengthOf(accepted, 1)
  })

  it("stops listening without descriptors, until one is closed", () => {
    const { kernel, accepted, shortages } = listening()
    const { transport } = kernel.connection()
    const before = kernel.count("epoll_ctl")
    kernel.connecting("EMFILE")
    kernel.turn([50, Ready.input])
    assert.deepStrictEqual([accepted.length, shortages(), kernel.count("epoll_ctl") - before], [0, 1, 1])
    transport.close()
    assert.strictEqual(kernel.count("epoll_ctl") - before, 2)
  })

  it("gives the pipes that are not in use back without descriptors", () => {
    const { kernel, shortages } = listening()
    const before = kernel.open.size
    kernel.pipes.giveBack(kernel.pipes.take()!)
    assert.strictEqual(kernel.open.size, before + 2)
    kernel.connecting("ENFILE")
    kernel.turn([50, Ready.input])
    assert.deepStrictEqual([kernel.open.size, shortages()], [before, 1])
    // The timer of the pause.
    kernel.poller.close()
  })

  it("survives an exception of the one that takes a connection", () => {
    const { kernel, listener } = listening(() => {
      throw new Error("a defect")
    })
    kernel.connecting(...sockets(1))
    kernel.turn([50, Ready.input])
    assert.deepStrictEqual(kernel.reports.map(String), ["Error: a defect"])
    assert.strictEqual(listener.fd, 50)
  })

  it("keeps the process running as long as there is a descriptor", () => {
    const { kernel, listener } = listening()
    assert.isTrue(kernel.isReferenced())
    const { transport } = kernel.connection()
    listener.close()
    assert.isTrue(kernel.isReferenced())
    transport.close()
    assert.isFalse(kernel.isReferenced())
  })

  it("ends every connection and listener when it closes, and reports no defect", () => {
    const { kernel, listener } = listening()
    const events: Array<string> = []
    const { transport, socket } = kernel.connection()
    transport.listen({ received: () => {}, ended: () => {}, closed: () => void events.push("closed") })
    kernel.poller.close()
    assert.deepStrictEqual([events, socket.isReset], [["closed"], true])
    assert.strictEqual(listener.fd, -1)
    assert.deepStrictEqual(kernel.reports, [])
  })
})
