/**
 * Listening sockets that a primary binds, and that workers on descriptors share.
 */
import net from "node:net"
import { constants } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as Section from "../../src/config/Section.ts"
import { DescriptorTransport } from "../../src/network/descriptors/DescriptorTransport.ts"
import * as Libc from "../../src/network/descriptors/Libc.ts"
import * as PrimarySockets from "../../src/network/descriptors/PrimarySockets.ts"
import { Sockets } from "../../src/network/Sockets.ts"
import type { Place, Transport } from "../../src/network/Transport.ts"
import { TransportSettings } from "../../src/network/TransportSettings.ts"
import { layer } from "../../src/network/Transports.ts"
import * as Tcp from "../support/sockets.ts"
import { directory } from "../support/temporary.ts"
import { until } from "../support/until.ts"

const descriptors = layer().pipe(
  Layer.provide(Layer.succeedContext(Section.context([TransportSettings], { transport: "descriptors" })))
)

type Answer = (error: number | null, handle?: { readonly fd: number; readonly close: () => void }) => void

/** A primary that answers everybody in the form of Node's: with this descriptor, or with a negated error code. */
const primaryOf = (outcome: number) => {
  const asked: Array<object> = []
  let released = 0
  const handle = { fd: outcome, close: () => void released++ }
  const _getServer = (_owner: object, options: object, answer: Answer) => {
    asked.push(options)
    setImmediate(() => (outcome < 0 ? answer(outcome) : answer(null, handle)))
  }
  return { cluster: { _getServer }, asked, released: () => released }
}

interface Handle {
  readonly fd: number
  readonly getsockname?: (out: { port?: number }) => number
  readonly close: () => void
}

/** Makes a socket as Node's own primary does. */
const { _createServerHandle: createHandle } = net as unknown as {
  readonly _createServerHandle: (address: string, port: number, addressType: number) => Handle
}

/** The descriptor of a primary's socket, which is bound and does not accept. */
const bound = (at: { readonly path: string } | { readonly host: string; readonly port: number }) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => ("path" in at ? createHandle(at.path, -1, -1) : createHandle(at.host, at.port, 4))),
      (handle) => Effect.sync(() => handle.close())
    ),
    (handle) => {
      const address: { port?: number } = {}
      handle.getsockname?.(address)
      return { fd: handle.fd, port: address.port ?? 0 }
    }
  )

/** A worker that listens at a place. */
const worker = Effect.fnUntraced(function* (cluster: object, place: Place) {
  const own = yield* Sockets
  const accepted: Array<Transport> = []
  const node = { listen: () => Effect.fail("asked Node") }
  const { bound } = yield* PrimarySockets.ofWorker(own, node, cluster).listen({
    place,
    backlog: 100,
    onConnection: (transport) => void accepted.push(transport),
    onShortage: () => {}
  })
  return { bound, accepted }
})

describe.runIf(Libc.isProven())("a worker on descriptors", () => {
  it.live("accepts from a socket of its primary, and gives it back with its scope", () =>
    Effect.gen(function* () {
      const { fd, port } = yield* bound({ host: "127.0.0.1", port: 0 })
      const { cluster, asked, released } = primaryOf(fd)
      const scope = yield* Scope.make()
      const listening = worker(cluster, { host: "localhost", port: 0 })
      const [one, other] = yield* Scope.provide(Effect.all([listening, listening]), scope)
      assert.deepStrictEqual(
        [one.bound, other.bound].map((bound) => "port" in bound && bound.port),
        [port, port]
      )
      assert.deepInclude(asked[0], { address: "127.0.0.1", port: 0, addressType: 4 })

      yield* Tcp.connect(port)
      const transport = yield* until(() => one.accepted[0] ?? other.accepted[0])
      assert.instanceOf(transport, DescriptorTransport)
      transport.close()
      assert.strictEqual(released(), 0)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(released(), 2)
    }).pipe(Effect.provide(descriptors))
  )

  it.live("asks for a Unix-domain socket by its path, and for a socket of systemd by its number", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "socket")
      const { fd } = yield* bound({ path })
      const { cluster, asked } = primaryOf(fd)
      const places = [{ path }, { fd: 3, path: undefined }]
      const [named, passed] = yield* Effect.forEach(places, (place) => worker(cluster, place))
      assert.deepStrictEqual(named?.bound, NetAddress.unixPathAddress(path))
      assert.deepStrictEqual(passed?.bound, NetAddress.unixPathAddress(""))
      assert.deepInclude(asked[0], { address: path, port: -1, addressType: -1 })
      assert.deepInclude(asked[1], { fd: 3, port: null })
    }).pipe(Effect.provide(descriptors))
  )

  it.live("fails with the error of its primary", () =>
    Effect.gen(function* () {
      const { cluster } = primaryOf(-constants.errno.EADDRINUSE)
      const code = yield* Effect.flip(worker(cluster, { path: "/run/socket" }))
      assert.strictEqual(code, "EADDRINUSE")
    }).pipe(Effect.scoped, Effect.provide(descriptors))
  )

  it.live("listens with Node's sockets where the primary cannot be asked", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Effect.flip(worker({}, { path: "/run/socket" })), "asked Node")
    }).pipe(Effect.scoped, Effect.provide(descriptors))
  )

  it.live("makes a socket of its own without its primary", () =>
    Effect.gen(function* () {
      const { accepted, bound } = yield* worker({}, { host: "127.0.0.1", port: 0, sharing: "shared" })
      yield* Tcp.connect("port" in bound ? bound.port : 0)
      assert.instanceOf(yield* until(() => accepted[0]), DescriptorTransport)
    }).pipe(Effect.scoped, Effect.provide(descriptors))
  )
})
