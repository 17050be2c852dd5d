import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import { NetworkUnreachable } from "../../src/Errors.ts"
import type { Route } from "../../src/routes/Route.ts"
import * as Router from "../../src/routes/Router.ts"

/** The error of a BIND for any sender, whose route by default fails as an unreachable network. */
const listening = (isByRule: boolean) => {
  const failed = Effect.fail(new NetworkUnreachable())
  const direct: Route = { connect: () => failed, listen: () => failed, datagrams: () => failed }
  const router = Router.make({
    ...{ routes: new Map([["direct", direct]]), carriesDatagrams: true, isByRule },
    ...{ fallback: "direct", noProxy: [] }
  })
  return Effect.map(
    Effect.flip(
      router.listen(NetAddress.ipv4Unspecified, NetAddress.ipv4Loopback) as unknown as Effect.Effect<
        never,
        Error
      >
    ),
    ({ message }) => message
  )
}

describe("the route of a BIND for any sender", () => {
  it.effect("is the one by default", () =>
    Effect.gen(function* () {
      assert.notMatch(yield* listening(false), /BIND/)
    })
  )

  it.effect("is none where rules name routes, as the sender's may be another than the one by default", () =>
    Effect.gen(function* () {
      assert.match(yield* listening(true), /a BIND without an address has no route where rules name routes/)
    })
  )
})
