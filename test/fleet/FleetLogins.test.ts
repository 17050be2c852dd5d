/**
 * Remembered logins of several machines, with a store in memory.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as RememberedLogins from "../../src/auth/RememberedLogins.ts"
import * as Hmac from "../../src/base/Hmac.ts"
import * as FleetLogins from "../../src/fleet/FleetLogins.ts"
import * as Keys from "../../src/fleet/Keys.ts"
import * as FleetStore from "../support/fleet-store.ts"

const keys = Keys.make("fleet")

describe("FleetLogins", () => {
  it.effect(
    "a right login is remembered by all machines, for as long as by one, whatever their clocks say",
    () =>
      Effect.gen(function* () {
        const shared = FleetStore.make()
        const machines = yield* Effect.forEach([0, 3_600_000], (ahead) =>
          Effect.gen(function* () {
            const { store } = shared.connect()
            const now = () => shared.now() + ahead
            const key = Buffer.from("the fleet's").toString("base64")
            const sharing = FleetLogins.make({ store, keys, machine: String(ahead), key, now })
            const logins = RememberedLogins.make(Hmac.digest(sharing.key), (login) => sharing.tell([login]))
            sharing.attach((others) => logins.follow(others, now()))
            yield* store.subscribe(FleetLogins.channelOf(keys), sharing.receive)
            return { ...sharing, ...logins, now }
          })
        )
        const [a, b] = machines as [(typeof machines)[0], (typeof machines)[0]]
        const login = a.digest(new TextEncoder().encode("alice"))
        a.add(login, a.now())
        a.sweep()
        yield* shared.settle
        assert.isTrue(b.has(login, b.now()))
        yield* shared.pass(RememberedLogins.rememberedFor + 1)
        assert.isFalse(b.has(login, b.now()))
        // Not more than a message takes.
        for (let index = 0; index < 1000; index++) a.tell([[`login ${index}`, a.now() + 1000]])
        a.sweep()
        yield* shared.settle
        assert.isTrue(b.has("login 499", b.now()))
        assert.isFalse(b.has("login 500", b.now()))
      })
  )
})
