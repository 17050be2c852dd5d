/**
 * Services that go by the session they work for.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import { DialerBySession } from "../../examples/dialer.ts"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import { ConnectionRefused } from "../../src/Errors.ts"
import { Dialer } from "../../src/network/Dialer.ts"
import { Resolver } from "../../src/network/Resolver.ts"
import { CurrentSession } from "../../src/session/CurrentSession.ts"
import { connect, dialer, layer } from "../../src/testing/index.ts"
import { format } from "../../src/wire/Target.ts"
import { utf8 } from "../support/bytes.ts"
import { credentials, greeting, request } from "../support/messages.ts"

/** Connects for alice only, and tells whom else a connection was for. */
const byUser = (others: Array<string>) =>
  Layer.effect(
    Dialer,
    Effect.map(Dialer, ({ connect }) => ({
      connect: Effect.fnUntraced(function* (address, port) {
        const admitted = (yield* CurrentSession)?.admitted
        if (admitted?.identity.user === "alice") return yield* connect(address, port)
        others.push(`${admitted?.identity.user} to ${admitted && format(admitted.request.target)}`)
        return yield* new ConnectionRefused()
      })
    }))
  )

const echo = dialer(({ duplex }) => duplex.pipe(duplex))

it.effect("a dialer knows the user and the target of the session", () => {
  const others: Array<string> = []
  const users = ["alice", "bob"].map((name) => ({ name, password: Redacted.make("secret") }))
  return Effect.gen(function* () {
    const replies: Array<number> = []
    for (const { name } of users) {
      const client = yield* connect
      yield* client.send([
        ...greeting(0x02),
        ...credentials(name, "secret"),
        ...request("target.example", 80)
      ])
      replies.push((yield* client.receive(14))[5]!)
    }
    assert.deepStrictEqual(replies, [0x00, 0x05])
    assert.deepStrictEqual(others, ["bob to target.example:80"])
    assert.isUndefined(yield* CurrentSession)
  }).pipe(
    Effect.provide(
      layer({ authenticator: Authenticator.layerUsers(users), dialer: Layer.provide(byUser(others), echo) })
    )
  )
})

it.effect("a dialer knows the present request on a connection that is used again", () => {
  const targets: Array<string> = []
  const noting = Layer.succeed(Dialer, {
    connect: () =>
      Effect.gen(function* () {
        const session = yield* CurrentSession
        targets.push(session?.admitted ? format(session.admitted.request.target) : "none")
        return yield* new ConnectionRefused()
      })
  })
  return Effect.gen(function* () {
    const client = yield* connect
    for (const port of [80, 81]) {
      yield* client.send(
        utf8(`GET http://target.example:${port}/ HTTP/1.1\r\nHost: target.example:${port}\r\n\r\n`)
      )
      while (targets.length < port - 79) yield* client.receive(1)
    }
    assert.deepStrictEqual(targets, ["target.example:80", "target.example:81"])
  }).pipe(Effect.provide(layer({ dialer: noting })))
})

it.effect("a dialer chooses by the user or the name, as in examples/dialer.ts", () => {
  const dialled: Array<string> = []
  const noting = dialer(({ duplex }, address) => {
    dialled.push(NetAddress.formatIp(address))
    duplex.pipe(duplex)
  })
  const users = ["alice", "bob"].map((name) => ({ name, password: Redacted.make("secret") }))
  const address = [NetAddress.ipFromStringUnsafe("192.0.2.1")] as const
  return Effect.gen(function* () {
    for (const [user, target] of [
      ["alice", "target.example"],
      ["bob", "target.example"],
      ["bob", "intranet.example"]
    ] as const) {
      const client = yield* connect
      yield* client.send([...greeting(0x02), ...credentials(user, "secret"), ...request(target, 80)])
      assert.strictEqual((yield* client.receive(14))[5], 0x00)
    }
    assert.deepStrictEqual(dialled, ["192.0.2.250", "192.0.2.1", "192.0.2.250"])
  }).pipe(
    Effect.provide(
      layer({
        authenticator: Authenticator.layerUsers(users),
        resolver: Resolver.layerFixed({ "target.example": address, "intranet.example": address }),
        dialer: Layer.provide(DialerBySession, noting)
      })
    )
  )
})
