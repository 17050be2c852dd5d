/**
 * A relay at work, with both its ends in the hands of a test.
 */
import * as Effect from "effect/Effect"
import type { Pace } from "../../src/network/BandwidthScheduler.ts"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import { Relay, type Traffic } from "../../src/network/Relay.ts"
import { type Peer, pair, peer } from "../../src/testing/index.ts"
import { utf8 } from "./bytes.ts"
import { settled } from "./streams.ts"

export interface Options {
  readonly early?: string
  /** The client has finished sending before. */
  readonly hasEnded?: boolean
  readonly isGone?: "client" | "target"
  /** Who does not read. Only its `duplex` is of use. */
  readonly silent?: "client" | "target"
  readonly pace?: Pace | undefined
}

export const relaying = Effect.fnUntraced(function* ({
  early = "",
  hasEnded,
  isGone,
  silent,
  pace
}: Options = {}) {
  const [clientNear, clientEnd] = pair()
  const [targetNear, targetEnd] = pair()
  const unread = (duplex: Peer["duplex"]) => ({ duplex }) as Peer
  const client = (silent === "client" ? unread : peer)(clientNear)
  const target = (silent === "target" ? unread : peer)(targetNear)
  if (hasEnded) {
    clientEnd.resume()
    yield* client.end
  }
  if (isGone) (isGone === "client" ? clientNear : targetNear).destroy()
  yield* settled
  clientEnd.pause()

  const { run } = yield* Relay
  const traffic: Traffic = { sent: 0, received: 0 }
  const [one, other] = [NodeTransport.make(clientEnd), NodeTransport.make(targetEnd)]
  const ends = { client: one, target: other, early: utf8(early), traffic, pace }
  const fiber = yield* Effect.forkChild(run(ends))
  yield* settled
  return { client, target, clientEnd, targetEnd, traffic, fiber }
})
