/**
 * What is remembered of where datagrams may go, and for how long.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import { TestClock } from "effect/testing"
import { Resolver } from "../../src/network/Resolver.ts"
import { Policy } from "../../src/policy/Policy.ts"
import * as Direct from "../../src/routes/Direct.ts"
import type { Route } from "../../src/routes/Route.ts"
import { CurrentRoute } from "../../src/routes/Routes.ts"
import * as DatagramBudget from "../../src/udp/DatagramBudget.ts"
import * as Destinations from "../../src/udp/Destinations.ts"
import * as Datagram from "../../src/wire/Datagram.ts"
import * as Target from "../../src/wire/Target.ts"
import { connecting } from "../support/connecting.ts"
import { datagram } from "../support/messages.ts"
import { access } from "../support/rules.ts"
import { settled } from "../support/streams.ts"

describe("Destinations", () => {
  it.effect("are judged once a minute, and again after a change of the policy", () => {
    const policy = { judged: 0, revision: 0, verdict: "allow" as "allow" | "deny" }
    const services = Layer.mergeAll(
      connecting,
      Resolver.layerFixed({}),
      Layer.succeed(Policy, {
        judge: (_, address) =>
          Effect.sync(() => {
            if (address !== undefined) policy.judged++
            return { verdict: policy.verdict, rule: "one" }
          }),
        revision: () => policy.revision
      })
    )
    return Effect.gen(function* () {
      const outcome: Array<string> = []
      const { send } = yield* Destinations.make(
        { ...access({}), command: "ASSOCIATE", target: undefined },
        { of: () => Effect.undefined },
        yield* DatagramBudget.make().enter("alice"),
        (_bytes, _size, { to }) => outcome.push(NetAddress.formatIp(to.at.address)),
        () => outcome.push("drop")
      )
      const bytes = Buffer.from(datagram([192, 0, 2, 1], 53, [1]))
      const sent = Effect.suspend(() => {
        send(bytes, Datagram.headerSize(bytes))
        return Effect.map(settled, () => [outcome.splice(0), policy.judged] as const)
      })
      assert.deepStrictEqual(yield* sent, [["192.0.2.1"], 1])
      policy.verdict = "deny"
      assert.deepStrictEqual(yield* sent, [["192.0.2.1"], 1])
      policy.revision++
      assert.deepStrictEqual(yield* sent, [["drop"], 1])
      policy.verdict = "allow"
      assert.deepStrictEqual(yield* sent, [["drop"], 1])
      policy.revision++
      assert.deepStrictEqual(yield* sent, [["192.0.2.1"], 2])
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual(yield* sent, [["192.0.2.1"], 3])
    }).pipe(Effect.scoped, Effect.provide(services))
  })

  it.effect("use the route of the session, which gets the judged addresses", () => {
    const seen: Array<ReadonlyArray<string>> = []
    const relay = NetAddress.inetAddressFromStringUnsafe("198.51.100.9:1080")
    const route: Route = {
      ...Direct.route,
      datagrams: ({ access: { command, target }, permitted: [{ address, decision }], chargeRule }) => {
        seen.push([command, Target.format(target), NetAddress.formatIp(address), decision.rule])
        return Effect.map(chargeRule(decision), (charge) => ({ remote: relay, address, charge }))
      }
    }
    const services = Layer.mergeAll(
      connecting,
      Resolver.layerFixed({ "target.example": [NetAddress.ipFromStringUnsafe("192.0.2.7")] }),
      Policy.layerAnything,
      Layer.succeed(CurrentRoute, route)
    )
    return Effect.gen(function* () {
      const outcome: Array<string> = []
      const { send } = yield* Destinations.make(
        { ...access({}), command: "ASSOCIATE", target: undefined },
        { of: () => Effect.undefined },
        yield* DatagramBudget.make().enter("alice"),
        (_bytes, _size, { to }) => outcome.push(NetAddress.formatInet(to.at)),
        () => outcome.push("drop")
      )
      const bytes = Buffer.from(datagram("target.example", 53, [1]))
      send(bytes, Datagram.headerSize(bytes))
      yield* settled
      assert.deepStrictEqual(outcome, ["198.51.100.9:1080"])
      assert.deepStrictEqual(seen, [["ASSOCIATE", "target.example:53", "192.0.2.7", "anything"]])
    }).pipe(Effect.scoped, Effect.provide(services))
  })

  it.effect("are looked up no more at a time than datagrams may wait, also where the budget is used up", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const resolving = Layer.succeed(Resolver, {
        resolve: (name) =>
          Effect.andThen(
            Effect.sync(() => void asked.push(name)),
            Effect.never
          )
      })
      yield* Effect.gen(function* () {
        let dropped = 0
        const { send } = yield* Destinations.make(
          { ...access({}), command: "ASSOCIATE", target: undefined },
          { of: () => Effect.undefined },
          yield* DatagramBudget.make().enter("alice"),
          () => assert.fail("sent"),
          () => dropped++
        )
        const sized = (name: string, size: number) => {
          const bytes = Buffer.from(datagram(name, 53, new Uint8Array(size)))
          send(bytes, Datagram.headerSize(bytes))
        }
        // Together nearly all of what may wait of one association.
        for (let index = 0; index < 4; index++) sized(`large-${index}.example`, 65_000)
        sized("rest.example", 1900)
        yield* settled
        for (let index = 0; index < 200; index++) sized(`small-${index}.example`, 200)
        yield* settled
        assert.isAtMost(asked.length, 32)
        assert.strictEqual(asked.length + dropped, 205)
      }).pipe(Effect.provide(Layer.mergeAll(connecting, resolving, Policy.layerAnything)))
    }).pipe(Effect.scoped)
  )
})
