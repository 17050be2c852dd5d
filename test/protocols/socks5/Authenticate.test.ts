/**
 * What a client has to prove, and what it is told.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Authenticator, type Identity } from "../../../src/auth/Authenticator.ts"
import * as Authenticate from "../../../src/protocols/socks5/Authenticate.ts"
import { credentials } from "../../support/messages.ts"
import { accepted, settled, untrusted } from "../../support/streams.ts"

const users = Authenticator.layerUsers([{ name: "alice", password: Redacted.make("secret") }])

const failing = Effect.fnUntraced(function* (sent: ReadonlyArray<number>) {
  const { peer, client } = yield* accepted
  yield* peer.send(sent)
  const error = yield* Effect.flip(Authenticate.run(untrusted(client), 0x02, { user: undefined }))
  // The answer is not this phase's: one place turns errors into bytes.
  const left = [...client.detach().early]
  yield* settled
  yield* peer.reset
  return { tag: error._tag, left, received: [...(yield* peer.rest)] }
})

describe("Authenticate", () => {
  it.effect("reads nothing if no authentication was selected", () =>
    Effect.gen(function* () {
      const { peer, client } = yield* accepted
      yield* peer.send(credentials("alice", "secret"))
      yield* settled
      const identity = yield* Authenticate.run(untrusted(client), 0x00, { user: undefined })
      assert.deepStrictEqual<Identity>(identity, { user: undefined })
      assert.deepStrictEqual([...client.detach().early], credentials("alice", "secret"))
      yield* peer.reset
      assert.lengthOf(yield* peer.rest, 0)
    }).pipe(Effect.provideService(Authenticator, { methods: [0x00], verify: () => Effect.die("asked") }))
  )

  it.effect("accepts the right password, and replies so", () =>
    Effect.gen(function* () {
      const { peer, client } = yield* accepted
      yield* peer.send([...credentials("alice", "secret"), 0x05])
      const identity = yield* Authenticate.run(untrusted(client), 0x02, { user: undefined })
      assert.deepStrictEqual<Identity>(identity, { user: "alice" })
      assert.deepStrictEqual([...(yield* peer.receive(2))], [0x01, 0x00])
      assert.deepStrictEqual([...client.detach().early], [0x05])
      yield* peer.reset
    }).pipe(Effect.provide(users))
  )

  it.effect("fails alike for a wrong password and an unknown user", () =>
    Effect.gen(function* () {
      for (const name of ["alice", "mallory"]) {
        assert.deepStrictEqual(yield* failing(credentials(name, "guess")), {
          tag: "AuthenticationFailed",
          left: [],
          received: []
        })
      }
    }).pipe(Effect.provide(users))
  )

  it.effect("refuses the SOCKS version as the version of the login", () =>
    Effect.gen(function* () {
      const [, ...rest] = credentials("alice", "secret")
      for (const version of [0x00, 0x02, 0x05]) {
        assert.strictEqual((yield* failing([version, ...rest])).tag, "MalformedCredentials")
      }
    }).pipe(Effect.provide(users))
  )

  it.effect("refuses an empty name and an empty password", () =>
    Effect.gen(function* () {
      for (const sent of [credentials("", "secret"), credentials("alice", "")]) {
        assert.strictEqual((yield* failing(sent)).tag, "MalformedCredentials")
      }
    }).pipe(Effect.provide(users))
  )
})
