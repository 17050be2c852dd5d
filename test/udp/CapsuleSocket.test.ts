/**
 * The datagrams of a client in capsules: in masses they leave other sessions their turns.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import { pair } from "../../src/testing/index.ts"
import { CapsuleSocket } from "../../src/udp/CapsuleSocket.ts"
import * as Capsule from "../../src/wire/Capsule.ts"
import * as Target from "../../src/wire/Target.ts"
import { settled } from "../support/streams.ts"

const at = NetAddress.inetAddressFromStringUnsafe("192.0.2.1:53")

const target = Result.getOrThrow(Target.fromName(Buffer.from("192.0.2.1"), 53))

it.effect("Capsules that come at once are read over several turns, all of them and in order", () =>
  Effect.gen(function* () {
    const [near, far] = pair()
    const socket = new CapsuleSocket(target, { key: "client", at })
    const found: Array<number> = []
    let inTurn = 0
    let most = 0
    socket.receiver = {
      received: (bytes) => {
        found.push(bytes.readUInt16BE(bytes.length - 2))
        if (inTurn++ === 0) {
          setImmediate(() => {
            inTurn = 0
          })
        }
        most = Math.max(most, inTurn)
      },
      failed: () => {}
    }
    const capsules = Array.from({ length: 1000 }, (_, i) => Capsule.datagram(Uint8Array.of(i >> 8, i & 0xff)))
    let ending: string | undefined
    const early = Buffer.concat(capsules.slice(0, 300))
    socket.start(NodeTransport.make(far), early, (how) => {
      ending = how
    })
    near.end(Buffer.concat(capsules.slice(300)))
    yield* settled
    yield* settled
    assert.deepStrictEqual(
      found,
      Array.from({ length: 1000 }, (_, i) => i)
    )
    // The last ones of one read, and the first ones of the next.
    assert.isAtMost(most, 128)
    assert.strictEqual(ending, "finished")
  })
)
