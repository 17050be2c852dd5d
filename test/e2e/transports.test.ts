/**
 * The transports over real sockets: each keeps the same contract, and gives back every descriptor.
 */

import { once } from "node:events"
import { readdirSync, readlinkSync, statSync } from "node:fs"
import { connect as connectTo, createServer, type Server as NodeServer, type Socket } from "node:net"
import { constants } from "node:os"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as Section from "../../src/config/Section.ts"
import { Reload } from "../../src/library/Reload.ts"
import { Server } from "../../src/library/Server.ts"
import * as Libc from "../../src/network/descriptors/Libc.ts"
import * as SelfCheck from "../../src/network/descriptors/SelfCheck.ts"
import { RelayPair } from "../../src/network/RelayPair.ts"
import { Sockets } from "../../src/network/Sockets.ts"
import type { Listening, Place, Receiver, Transport } from "../../src/network/Transport.ts"
import { TransportSettings } from "../../src/network/TransportSettings.ts"
import { CurrentTransport, layer } from "../../src/network/Transports.ts"
import { directory } from "../support/temporary.ts"
import { until } from "../support/until.ts"

const loopback = NetAddress.ipv4Loopback

const layerOf = (transport: "node" | "descriptors") =>
  Layer.provide(layer(), Layer.succeedContext(Section.context([TransportSettings], { transport })))

/** The sockets and pipes of this process. */
const descriptors = (): number => linksOf("socket:", "pipe:")

const linksOf = (...kinds: ReadonlyArray<string>): number =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      const link = readlinkSync(`/proc/self/fd/${fd}`)
      return kinds.some((kind) => link.startsWith(kind))
    } catch {
      // The descriptor of the directory itself.
      return false
    }
  }).length

/** The epoll descriptors of this process. */
const epolls = (): number => linksOf("anon_inode:[eventpoll]")

/** A client of Node's, with all that came and how it ended. */
const client = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<{
      socket: Socket
      bytes: () => Buffer
      text: () => string
      ending: () => string | undefined
    }>((resume) => {
      const socket = connectTo({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true })
      const parts: Array<Buffer> = []
      let ending: string | undefined
      socket.on("data", (bytes) => parts.push(bytes))
      socket.on("end", () => {
        ending ??= "end"
      })
      socket.on("error", ({ message }) => {
        ending = message.includes("ECONNRESET") ? "reset" : message
      })
      socket.once("connect", () =>
        resume(
          Effect.succeed({
            socket,
            bytes: () => Buffer.concat(parts),
            text: () => Buffer.concat(parts).toString(),
            ending: () => ending
          })
        )
      )
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** A server of Node's. */
const target = Effect.acquireRelease(
  Effect.callback<{ server: NodeServer; port: number; accepted: Array<Socket> }>((resume) => {
    const accepted: Array<Socket> = []
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      socket.on("error", () => {})
      accepted.push(socket)
    })
    server.listen(0, "127.0.0.1", () =>
      resume(Effect.succeed({ server, port: (server.address() as { port: number }).port, accepted }))
    )
  }),
  ({ server, accepted }) =>
    Effect.sync(() => {
      for (const socket of accepted) socket.destroy()
      server.close()
    })
)

const listening = (
  onConnection: (transport: Transport) => void,
  place: Place = { host: "127.0.0.1", port: 0 }
) =>
  Effect.flatMap(Sockets, ({ listen }) => listen({ place, backlog: 100, onConnection, onShortage: () => {} }))

const portOf = ({ bound }: Listening): number => ("port" in bound ? bound.port : 0)

const accepting = Effect.gen(function* () {
  const first = Deferred.makeUnsafe<Transport>()
  const listener = yield* listening((transport) => void Deferred.doneUnsafe(first, Effect.succeed(transport)))
  return { port: portOf(listener), transport: Deferred.await(first), stop: listener.stop }
})

/** An accepted connection, and the client of it. */
const accepted = Effect.gen(function* () {
  const listener = yield* accepting
  const near = yield* client(listener.port)
  const transport = yield* listener.transport
  yield* Effect.addFinalizer(() => Effect.sync(() => transport.close()))
  const events: Array<string> = []
  const receiver: Receiver = {
    received: (bytes) => void events.push(String(bytes)),
    ended: () => void events.push("ended"),
    closed: () => void events.push("closed")
  }
  transport.listen(receiver)
  transport.resume()
  return { near, transport, events }
})

const connected = (port: number) =>
  Effect.flatMap(Sockets, ({ connect }) =>
    Effect.callback<Transport, string>((resume) => {
      const transport = connect(loopback, port, (outcome) =>
        resume(typeof outcome === "string" ? Effect.fail(outcome) : Effect.succeed(transport))
      )
    })
  )

/** A relay between a client and a target, both of Node's. */
const relaying = Effect.gen(function* () {
  const traffic = { sent: 0, received: 0 }
  const { port, accepted: far } = yield* target
  const listener = yield* accepting
  const near = yield* client(listener.port)
  const [one, other] = [yield* listener.transport, yield* connected(port)]
  yield* until(() => far.length === 1)
  const ending = Deferred.makeUnsafe<string>()
  const pair = new RelayPair(
    { client: one, target: other, early: Buffer.from("early "), traffic },
    { now: 0 }
  )
  pair.onEnd = (how) => void Deferred.doneUnsafe(ending, Effect.succeed(how))
  yield* Effect.addFinalizer(() => Effect.sync(() => pair.end("finished")))
  return { near, far: far[0]!, traffic, ending: Deferred.await(ending) }
})

const received = (socket: Socket) => {
  const parts: Array<Buffer> = []
  socket.on("data", (bytes) => parts.push(bytes))
  return () => Buffer.concat(parts)
}

const large = Buffer.alloc(6 * 1024 * 1024, "what is large comes whole, and in order ")

const contract = (name: "node" | "descriptors") => {
  const provide = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
    Effect.provide(Effect.scoped(effect), layerOf(name))

  it.live("serves", () =>
    provide(
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* CurrentTransport, { name })
      })
    )
  )

  it.live("reports bytes, the end, and the close", () =>
    provide(
      Effect.gen(function* () {
        const { near, transport, events } = yield* accepted
        near.socket.end("bytes")
        yield* until(() => events.length === 2)
        assert.deepStrictEqual(events, ["bytes", "ended"])
        assert.isTrue(transport.hasEnded && transport.isWritable)
        transport.write(Buffer.from("answer"))
        transport.end()
        yield* until(() => events.length === 3)
        yield* until(() => near.ending() !== undefined)
        assert.deepStrictEqual([near.text(), near.ending(), events[2]], ["answer", "end", "closed"])
        assert.isTrue(transport.isClosed && transport.hasSentAll)
      })
    )
  )

  it.live("reports a reset, and resets", () =>
    provide(
      Effect.gen(function* () {
        const first = yield* accepted
        first.near.socket.resetAndDestroy()
        yield* until(() => first.events.length === 1)
        assert.deepStrictEqual(first.events, ["closed"])
        assert.strictEqual((first.transport.failure as NodeJS.ErrnoException).code, "ECONNRESET")
        const second = yield* accepted
        second.transport.reset()
        yield* until(() => second.near.ending() !== undefined)
        assert.strictEqual(second.near.ending(), "reset")
      })
    )
  )

  it.live("reads nothing while it is paused", () =>
    provide(
      Effect.gen(function* () {
        const { near, transport, events } = yield* accepted
        transport.pause()
        near.socket.write("first")
        near.socket.write(large)
        yield* Effect.sleep("100 millis")
        // Node's transport keeps what it had read.
        const before = events.join("").length
        assert.isBelow(before, 1024 * 1024)
        transport.resume()
        yield* until(() => events.join("").length === 5 + large.length)
      })
    )
  )

  it.live("reports when the system has taken the written bytes", () =>
    provide(
      Effect.gen(function* () {
        const { near, transport } = yield* accepted
        near.socket.pause()
        let isTaken = false
        transport.write(large, () => {
          isTaken = true
        })
        yield* Effect.sleep("50 millis")
        assert.isTrue(transport.isFull && !isTaken)
        near.socket.resume()
        yield* until(() => isTaken)
        assert.strictEqual(transport.unsent, 0)
        yield* until(() => near.text().length === large.length)
      })
    )
  )

  it.live("relays both ways, slow and fast, until both have ended", () =>
    provide(
      Effect.gen(function* () {
        const { near, far, traffic, ending } = yield* relaying
        const uploaded = received(far)
        far.pause()
        near.socket.end(large)
        far.end("answer")
        yield* until(() => near.ending() !== undefined)
        assert.deepStrictEqual([near.text(), near.ending()], ["answer", "end"])
        far.resume()
        yield* until(() => uploaded().length === large.length + 6)
        assert.isTrue(uploaded().equals(Buffer.concat([Buffer.from("early "), large])))
        assert.strictEqual(yield* ending, "finished")
        assert.deepStrictEqual(traffic, { sent: large.length + 6, received: 6 })
      })
    )
  )

  for (const side of ["client", "target"] as const) {
    it.live(`passes a reset of the ${side} on`, () =>
      provide(
        Effect.gen(function* () {
          const { near, far, ending } = yield* relaying
          received(far)
          let wasReset = false
          far.once("error", () => {
            wasReset = true
          })
          const [one, isReset] =
            side === "client"
              ? ([near.socket, () => wasReset] as const)
              : ([far, () => near.ending() === "reset"] as const)
          one.resetAndDestroy()
          yield* until(isReset)
          assert.strictEqual(yield* ending, `${side} reset`)
        })
      )
    )
  }

  it.live("names the error of a target that refuses", () =>
    provide(
      Effect.gen(function* () {
        const port = yield* Effect.scoped(Effect.map(target, ({ port }) => port))
        assert.strictEqual(yield* Effect.flip(connected(port)), "ECONNREFUSED")
      })
    )
  )

  it.live("names the error of an address in use, and frees it at the stop", () =>
    provide(
      Effect.gen(function* () {
        const listener = yield* listening(() => {})
        const place = { host: "127.0.0.1", port: portOf(listener) }
        const refused = yield* Effect.flip(Effect.scoped(listening(() => {}, place)))
        assert.strictEqual(refused, "EADDRINUSE")
        listener.stop()
        yield* until(() => true)
        assert.strictEqual(portOf(yield* listening(() => {}, place)), place.port)
      })
    )
  )

  it.live("listens on a Unix-domain socket, and removes it at the stop", () =>
    provide(
      Effect.gen(function* () {
        const path = join(yield* directory, "socket")
        const scope = yield* Scope.make()
        const first = Deferred.makeUnsafe<Transport>()
        yield* Scope.provide(
          listening((transport) => void Deferred.doneUnsafe(first, Effect.succeed(transport)), { path }),
          scope
        )
        const socket = connectTo(path)
        yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
        const text = received(socket)
        const transport = yield* Deferred.await(first)
        transport.write(Buffer.from("hello"))
        yield* until(() => text().length === 5)
        transport.close()
        yield* Scope.close(scope, Exit.void)
        yield* until(() => statSync(path, { throwIfNoEntry: false }) === undefined)
      })
    )
  )

  it.live("hands a connection over to Node, with what was read", () =>
    provide(
      Effect.gen(function* () {
        const { near, transport, events } = yield* accepted
        near.socket.write("first ")
        yield* until(() => events.length === 1)
        const stream = transport.handOver(Buffer.from(events[0]!))
        const text = received(stream as Socket)
        near.socket.write("second")
        stream.resume()
        yield* until(() => text().length === 12)
        assert.strictEqual(text().toString(), "first second")
        stream.write("answer")
        yield* until(() => near.text() === "answer")
        let isClosed = false
        transport.whenClosed(() => {
          isClosed = true
        })
        transport.reset()
        yield* until(() => isClosed && near.ending() === "reset")
      })
    )
  )

  it.live("closes every descriptor, however a connection ends", () =>
    provide(
      Effect.gen(function* () {
        const { port, accepted: far } = yield* target
        const pairs: Array<RelayPair> = []
        const { connect } = yield* Sockets
        const listener = yield* listening((one) => {
          const other = connect(loopback, port, (outcome) => {
            if (typeof outcome === "string") return one.reset()
            pairs.push(
              new RelayPair(
                { client: one, target: other, early: new Uint8Array(0), traffic: { sent: 0, received: 0 } },
                { now: 0 }
              )
            )
          })
          one.whenClosed(() => other.close())
          other.whenClosed(() => one.close())
        })
        const before = descriptors()
        const endings: ReadonlyArray<(near: Socket, far: Socket) => void> = [
          (near) => near.end("bytes"),
          (near) => near.resetAndDestroy(),
          (_, far) => far.end(large.subarray(0, 1_000_000)),
          (_, far) => far.resetAndDestroy(),
          (near) => near.destroy(),
          (near, far) => {
            near.pause()
            far.write(large)
            setTimeout(() => near.destroy(), 5)
          },
          (near) => {
            near.write(large)
            setTimeout(() => near.resetAndDestroy(), 5)
          }
        ]
        for (let round = 0; round < 40; round++) {
          for (const ending of endings) {
            const index = far.length
            const near = connectTo({ host: "127.0.0.1", port: portOf(listener) })
            near.on("error", () => {}).resume()
            yield* until(() => far.length > index)
            const other = far[index]!.resume()
            other.on("end", () => other.end())
            ending(near, other)
          }
        }
        yield* until(() => far.every(({ destroyed }) => destroyed))
        assert.lengthOf(pairs, 40 * endings.length)
        yield* until(() => descriptors() <= before)
      })
    )
  )
}

/** libc, of which one function gives this error. */
const refusing = async (name: keyof Libc.Libc["calls"], code: keyof typeof constants.errno) => {
  const libc = await Libc.load()
  const refuse = () => {
    libc.errno[0] = constants.errno[code]
    return -1
  }
  return { ...libc, calls: { ...libc.calls, [name]: refuse } }
}

describe("the transport of Node", () => contract("node"))

const lacking = await Libc.load().then(
  () => undefined,
  (error: Error) => error.message
)

describe.runIf(lacking === undefined || process.env.CI !== undefined)("the transport on descriptors", () => {
  contract("descriptors")

  it.live("serves a server of an app, also after a reload, and ends with the server", () =>
    Effect.gen(function* () {
      const before = [descriptors(), epolls()]
      yield* Effect.scoped(
        Effect.gen(function* () {
          const options = { transport: "descriptors", allowTarget: "127.0.0.1" } as const
          const context = yield* Layer.build(Server.layer({ ...options, listen: "127.0.0.1:0" }))
          const { port, accepted: far } = yield* target
          assert.strictEqual(epolls(), before[1]! + 1)
          const session = Effect.gen(function* () {
            const { addresses } = Context.get(context, Server)
            const near = yield* client(addresses[0]!.port)
            near.socket.write(Buffer.from([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255]))
            yield* until(() => near.bytes().length === 12)
            return near
          })
          const first = yield* session
          yield* Context.get(context, Reload)({ ...options, listen: "127.0.0.1:0", idleTimeout: "1 minute" })
          const second = yield* session
          assert.lengthOf(far, 2)
          for (const { socket } of [first, second]) socket.end()
          for (const socket of far) socket.end()
        })
      )
      yield* until(() => descriptors() <= before[0]! && epolls() <= before[1]!)
    })
  )

  it("passes its self-check", async () => {
    const libc = await Libc.load()
    const before = descriptors()
    assert.deepStrictEqual(SelfCheck.run(libc), { refusesSplice: false, lackingUdp: undefined })
    assert.isTrue(libc.memory.isIntact())
    assert.strictEqual(descriptors(), before)
  })

  it("copies where a filter of system calls refuses to splice", async () => {
    for (const code of ["ENOSYS", "EPERM"] as const) {
      assert.deepStrictEqual(SelfCheck.run(await refusing("splice", code)), {
        refusesSplice: true,
        lackingUdp: undefined
      })
    }
  })

  it("does not serve if another call is refused, names the call, and leaves no descriptor open", async () => {
    const before = descriptors()
    for (const name of [
      "epoll_create1",
      "epoll_ctl",
      "accept4",
      "getsockname",
      "connect",
      "fcntl"
    ] as const) {
      const libc = await refusing(name, "EPERM")
      assert.throws(() => SelfCheck.run(libc), new RegExp(name))
    }
    assert.strictEqual(descriptors(), before)
  })

  it("does not serve in a thread, whose end would end the process", async () => {
    const url = new URL("../../dist/network/descriptors/Libc.js", import.meta.url)
    const script = `
      const { parentPort } = require("node:worker_threads")
      import(${JSON.stringify(url.href)})
        .then(({ load }) => load())
        .then(() => parentPort.postMessage("loaded"), ({ message }) => parentPort.postMessage(message))
    `
    const worker = new Worker(script, { eval: true })
    const [message] = await once(worker, "message")
    await worker.terminate()
    assert.strictEqual(message, "not in a worker thread")
  })
})
