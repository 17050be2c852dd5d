/**
 * What a route is given, for each command, and that nothing gets past it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import { HostUnreachable } from "../../src/Errors.ts"
import { Dialer } from "../../src/network/Dialer.ts"
import { Resolver } from "../../src/network/Resolver.ts"
import type { JudgedTarget, Route } from "../../src/routes/Route.ts"
import { CurrentRoute } from "../../src/routes/Routes.ts"
import { CurrentSession } from "../../src/session/CurrentSession.ts"
import { connect, dialer, layer } from "../../src/testing/index.ts"
import * as Target from "../../src/wire/Target.ts"
import { utf8 } from "../support/bytes.ts"
import { credentials, greeting, request } from "../support/messages.ts"

const ip = NetAddress.ipFromStringUnsafe
const upstream = ip("198.51.100.200")

/** One kind of route: everything goes to another proxy, which gets the target's name. */
const byUpstream = (seen: Array<unknown>): Route => {
  const note = Effect.fnUntraced(function* <A, R>({ access, permitted }: JudgedTarget<A, R>) {
    seen.push({
      user: access.identity.user,
      session: (yield* CurrentSession)?.id,
      command: access.command,
      target: Target.format(access.target),
      permitted: permitted.map(({ address, decision }) => [NetAddress.formatIp(address), decision.rule])
    })
  })
  return {
    connect: Effect.fnUntraced(function* (to) {
      yield* note(to)
      const { decision } = to.permitted[0]
      yield* to.chargeRule(decision)
      const outgoing = yield* (yield* Dialer).connect(upstream, 1080)
      outgoing.transport.write(utf8(`${Target.format(to.access.target)} `))
      return { outgoing, decision }
    }),
    listen: Effect.fnUntraced(function* (to) {
      if (!NetAddress.isIpAddress(to)) yield* note(to)
      return yield* new HostUnreachable()
    }),
    datagrams: Effect.fnUntraced(function* (to) {
      yield* note(to)
      const { address, decision } = to.permitted[0]
      return {
        remote: NetAddress.inetAddressUnsafe(upstream, 1080),
        address,
        charge: yield* to.chargeRule(decision)
      }
    })
  }
}

const alice = Authenticator.layerUsers([{ name: "alice", password: Redacted.make("secret") }])
const names = Resolver.layerFixed({
  "target.example": [ip("169.254.169.254"), ip("192.0.2.1"), ip("192.0.2.2")]
})
const login = [...greeting(0x02), ...credentials("alice", "secret")]

describe("a route", () => {
  it.effect("gets the judged addresses with their decisions, the name and the session", () => {
    const seen: Array<unknown> = []
    const dialled: Array<string> = []
    const noting = dialer(({ duplex }, address, port) => {
      dialled.push(`${NetAddress.formatIp(address)} ${port}`)
      duplex.pipe(duplex)
    })
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send([...login, ...request("target.example", 80)])
      assert.strictEqual((yield* client.receive(14))[5], 0x00)
      assert.deepStrictEqual([...(yield* client.receive(18))], [...utf8("target.example:80 ")])
      assert.deepStrictEqual(dialled, ["198.51.100.200 1080"])
      assert.deepStrictEqual(seen, [
        {
          user: "alice",
          session: 1,
          command: "CONNECT",
          target: "target.example:80",
          // What was denied is not among them.
          permitted: [
            ["192.0.2.1", "no rules"],
            ["192.0.2.2", "no rules"]
          ]
        }
      ])
    }).pipe(
      Effect.provide(
        Layer.merge(
          layer({ authenticator: alice, resolver: names, dialer: noting }),
          Layer.succeed(CurrentRoute, byUpstream(seen))
        )
      )
    )
  })

  it.effect("makes the listener of BIND, and its error is the reply to the client", () => {
    const seen: Array<unknown> = []
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send([...login, ...request("target.example", 80, 0x02)])
      assert.strictEqual((yield* client.receive(14))[5], 0x04)
      assert.deepInclude(seen[0], { user: "alice", command: "BIND", target: "target.example:80" })
    }).pipe(
      Effect.provide(
        Layer.merge(
          layer({ authenticator: alice, resolver: names, config: { bind: true } }),
          Layer.succeed(CurrentRoute, byUpstream(seen))
        )
      )
    )
  })
})
