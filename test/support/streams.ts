/**
 * Streams in tests whose clock stands still, and what passes through sockets whole.
 */
import { once } from "node:events"
import type { Duplex } from "node:stream"
import { setImmediate } from "node:timers/promises"
import * as Effect from "effect/Effect"
import * as Client from "../../src/network/Client.ts"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import type { Accepted } from "../../src/session/States.ts"
import { clientAddress, pair, peer, serverAddress } from "../../src/testing/index.ts"

/** Lets everything happen that needs no time: streams hand on chunks over several turns of the event loop. */
export const settled: Effect.Effect<void> = Effect.promise(async () => {
  for (let turn = 0; turn < 20; turn++) await setImmediate()
})

/** A client at both ends: as a test plays it, and as the server sees it. */
export const accepted = Effect.gen(function* () {
  const [near, far] = pair()
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => Client.make(NodeTransport.make(far))),
    (client, exit) => client.close(exit)
  )
  return { peer: peer(near), far, client }
})

/** What a client's protocol begins with, without a certificate or a trusted network. */
export const untrusted = (client: Client.Client): Accepted => ({
  client,
  peer: { remote: clientAddress, local: serverAddress },
  certified: undefined,
  isTrusted: false
})

/** Bytes of which each says where it stands, so that none can be lost, doubled or moved. */
export const pattern = (length: number, seed = 0): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = seed + i * 31 + (i >> 8) * 17
  return bytes
}

/** Sends everything in pieces of mixed sizes, and its end. */
export const sendAll = async (stream: Duplex, bytes: Buffer, seed: number): Promise<void> => {
  const sizes = [1, 100, 1460, 16 * 1024, 16 * 1024 + 1, 70_000, 300_000]
  for (let at = 0, turn = seed; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!
    if (!stream.write(bytes.subarray(at, at + size))) await once(stream, "drain")
    else if (turn % 5 === 0) await setImmediate()
    at += size
  }
  stream.end()
}

/** Everything that comes, read fast, or with pauses in which it has to wait on its way. */
export const receiveAll = async (stream: Duplex, isSlow: boolean): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  stream.on("data", (chunk: Buffer) => {
    chunks.push(chunk)
    if (!isSlow || chunks.length % 16 !== 0) return
    stream.pause()
    void Effect.runPromise(settled).then(() => stream.resume())
  })
  await once(stream, "end")
  return Buffer.concat(chunks)
}
