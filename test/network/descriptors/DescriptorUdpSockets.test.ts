/**
 * UDP sockets over a kernel in memory.
 */
import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import { endpoint } from "../../../src/network/descriptors/DatagramEndpoints.ts"
import * as DescriptorUdpSockets from "../../../src/network/descriptors/DescriptorUdpSockets.ts"
import { Ready } from "../../../src/network/descriptors/System.ts"
import type { UdpEndpoint } from "../../../src/network/UdpSocket.ts"
import * as Kernel from "../../support/kernel.ts"

const at = (text: string) => endpoint(NetAddress.inetAddressFromStringUnsafe(text))

/** The bytes of an endpoint, as the kernel has them. */
const raw = (text: string) => {
  const ints = new Int32Array(7)
  const one = at(text)
  one.write(ints, 0)
  return Buffer.from(ints.buffer).subarray(0, one.size)
}

const from = (text: string, bytes: string | Buffer): Kernel.FakeDatagram => ({
  address: raw(text),
  bytes: Buffer.from(bytes)
})

const open = () => {
  const kernel = Kernel.make()
  const sockets = DescriptorUdpSockets.make(kernel.loop)
  const bound = (address: NetAddress.IpAddress = NetAddress.ipv4Loopback) => {
    const before = new Set(kernel.open.keys())
    const socket = sockets.bind(address, 0)
    if (typeof socket === "string") throw new Error(socket)
    const fd = [...kernel.open.keys()].find((one) => !before.has(one))!
    const seen: Array<string> = []
    const errors: Array<unknown> = []
    socket.receiver = {
      received: (bytes, sender) => void seen.push(`${NetAddress.formatInet(sender.at)} ${bytes}`),
      failed: () => void seen.push("failed")
    }
    return {
      socket,
      fd,
      seen,
      errors,
      fake: kernel.open.get(fd)!,
      whenSent: (e: unknown) => void errors.push(e)
    }
  }
  return { kernel, sockets, bound }
}

describe("UDP sockets on descriptors", () => {
  it("pass on all that waits with one call each way, in order, without the headers", () => {
    const { kernel, bound } = open()
    const [near, far] = [bound(), bound()]
    near.socket.receiver = {
      received: (bytes) => far.socket.send(bytes, 2, at("192.0.2.1:53"), far.whenSent, Buffer.from("+")),
      failed: () => assert.fail()
    }
    near.fake.datagrams.push(
      from("127.0.0.1:9", "--one"),
      from("127.0.0.1:9", "--"),
      from("127.0.0.1:9", "--3")
    )
    kernel.turn([near.fd, Ready.input])
    assert.deepStrictEqual(
      far.fake.sentTo.map(({ bytes }) => String(bytes)),
      ["+one", "+", "+3"]
    )
    assert.deepStrictEqual(far.fake.sentTo[0]!.address, raw("192.0.2.1:53"))
    assert.deepStrictEqual(far.errors, [null, null, null])
    assert.deepStrictEqual([kernel.count("recvmmsg"), kernel.count("sendmmsg")], [1, 1])
    assert.isTrue(kernel.memory.isIntact())
  })

  it("name senders of both families, the same by the same endpoint", () => {
    const { kernel, bound } = open()
    for (const [address, sender] of [
      [NetAddress.ipv4Loopback, "192.0.2.7:1234"],
      [NetAddress.ipv6Loopback, "[2001:db8::7]:1234"]
    ] as const) {
      const one = bound(address)
      const senders: Array<UdpEndpoint> = []
      one.socket.receiver = { received: (_, each) => void senders.push(each), failed: () => assert.fail() }
      one.fake.datagrams.push(from(sender, "a"), from(sender, "b"))
      kernel.turn([one.fd, Ready.input])
      assert.strictEqual(NetAddress.formatInet(senders[0]!.at), sender)
      assert.strictEqual(senders[1], senders[0])
      assert.strictEqual(senders[0]!.key, at(sender).key)
    }
    assert.notStrictEqual(at("192.0.2.7:1").key, at("192.0.2.7:2").key)
  })

  it("take the longest datagram, and more than a batch", () => {
    const { kernel, bound } = open()
    const one = bound()
    const sizes: Array<number> = []
    one.socket.receiver = { received: ({ length }) => void sizes.push(length), failed: () => assert.fail() }
    one.fake.datagrams.push(from("127.0.0.1:9", Buffer.alloc(65_507)))
    for (let index = 0; index < 40; index++) one.fake.datagrams.push(from("127.0.0.1:9", "x"))
    kernel.turn([one.fd, Ready.input])
    assert.lengthOf(sizes, 32)
    kernel.turn([one.fd, Ready.input])
    assert.deepStrictEqual([sizes.length, sizes[0]], [41, 65_507])
  })

  it("tell of each datagram that is refused, and drop the rest where the socket is full", () => {
    const { kernel, bound } = open()
    const [near, far] = [bound(), bound()]
    near.socket.receiver = {
      received: (bytes) => far.socket.send(bytes, 0, at("192.0.2.1:53"), far.whenSent),
      failed: () => assert.fail()
    }
    const refusals = [undefined, "EPERM", undefined, "EAGAIN"] as const
    far.fake.refusedDatagrams.push(...refusals)
    near.fake.datagrams.push(...["a", "b", "c", "d", "e"].map((text) => from("127.0.0.1:9", text)))
    kernel.turn([near.fd, Ready.input])
    assert.deepStrictEqual(far.fake.sentTo.map(({ bytes }) => String(bytes)).join(""), "ac")
    assert.deepStrictEqual(
      far.errors.map((error) => error === null),
      [true, false, true, false, false]
    )
  })

  it("send a datagram of elsewhere at once, and refuse one that is too long", () => {
    const { kernel, bound } = open()
    const one = bound()
    one.socket.send(Buffer.from("--abc"), 2, at("192.0.2.1:53"), one.whenSent, Buffer.from("+"))
    one.socket.send(Buffer.alloc(70_000), 0, at("192.0.2.1:53"), one.whenSent)
    assert.deepStrictEqual(one.fake.sentTo, [{ address: raw("192.0.2.1:53"), bytes: Buffer.from("+abc") }])
    assert.deepStrictEqual(
      one.errors.map((error) => error === null),
      [true, false]
    )
    assert.strictEqual(kernel.count("sendmmsg"), 0)
  })

  it("tell of errors of earlier datagrams, and go on", () => {
    const { kernel, bound } = open()
    const one = bound()
    one.fake.datagrams.push("ECONNREFUSED", from("127.0.0.1:9", "a"))
    kernel.turn([one.fd, Ready.error])
    kernel.turn([one.fd, Ready.input])
    assert.deepStrictEqual(one.seen, ["failed", "127.0.0.1:9 a"])
  })

  it("lose one datagram to an exception of a receiver, and report it", () => {
    const { kernel, bound } = open()
    const one = bound()
    const seen: Array<string> = []
    one.socket.receiver = {
      received: (bytes) => {
        if (String(bytes) === "a") throw new Error("a defect")
        seen.push(String(bytes))
      },
      failed: () => {}
    }
    one.fake.datagrams.push(from("127.0.0.1:9", "a"), from("127.0.0.1:9", "b"))
    kernel.turn([one.fd, Ready.input])
    assert.deepStrictEqual(seen, ["b"])
    assert.lengthOf(kernel.reports, 1)
  })

  it("send before they close, and take nothing after", () => {
    const { kernel, bound } = open()
    const [near, far] = [bound(), bound()]
    let received = 0
    near.socket.receiver = {
      received: (bytes) => {
        received++
        far.socket.send(bytes, 0, at("192.0.2.1:53"), far.whenSent)
        far.socket.close()
        near.socket.close()
      },
      failed: () => assert.fail()
    }
    near.fake.datagrams.push(from("127.0.0.1:9", "a"), from("127.0.0.1:9", "b"))
    kernel.turn([near.fd, Ready.input])
    assert.deepStrictEqual([received, far.fake.sentTo.length, far.errors], [1, 1, [null]])
    assert.isFalse(kernel.open.has(near.fd) || kernel.open.has(far.fd))
    assert.isFalse(kernel.isReferenced())
  })

  it("give the system's code where they cannot be bound, and leave nothing open", () => {
    const { kernel, sockets } = open()
    const before = kernel.open.size
    for (const name of ["socket", "bind", "getsockname", "epoll_ctl"] as const) {
      kernel.fail(name, "EACCES")
      assert.strictEqual(sockets.bind(NetAddress.ipv4Loopback, 0), "EACCES", name)
    }
    assert.strictEqual(kernel.open.size, before)
  })
})
