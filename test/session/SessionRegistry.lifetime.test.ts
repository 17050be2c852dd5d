/**
 * Sessions that have lasted as long as they may.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import { ConnectionRefused } from "../../src/Errors.ts"
import { Binder } from "../../src/network/Binder.ts"
import { Dialer } from "../../src/network/Dialer.ts"
import type { Decision } from "../../src/policy/Decision.ts"
import { Policy } from "../../src/policy/Policy.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { connect, serverAddress } from "../../src/testing/index.ts"
import { Method } from "../../src/wire/Socks5.ts"
import { message } from "../support/http.ts"
import { credentials, greeting, reply, request } from "../support/messages.ts"
import { config, scripted, tunnel } from "../support/scripted.ts"
import { settled } from "../support/streams.ts"

describe("The lifetime of a session", () => {
  it.effect("ends a busy session, too, and resets both sides", () => {
    const { target, outcomes, services } = scripted()
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(tunnel)
      yield* client.receive(12)
      for (let second = 0; second < 59; second++) {
        yield* client.send("ping")
        yield* target().receive(4)
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(outcomes(), [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([yield* client.ending, yield* target().ending], ["reset", "reset"])
      yield* settled
      assert.deepStrictEqual(outcomes(), ["lifetime"])
      assert.deepStrictEqual(yield* (yield* SessionRegistry).list, [])
    }).pipe(Effect.provide(services))
  })

  for (const half of ["client", "target"] as const) {
    it.effect(`ends a session after a FIN of the ${half}`, () => {
      const { target, outcomes, services } = scripted()
      return Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(tunnel)
        yield* client.receive(12)
        const [first, second] = half === "client" ? [client, target()] : [target(), client]
        yield* first.end
        assert.strictEqual(yield* second.ending, "end")
        yield* TestClock.adjust("59 seconds")
        assert.isFalse(first.duplex.destroyed || second.duplex.destroyed)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* first.ending, "reset")
        yield* settled
        assert.isTrue(first.duplex.destroyed && second.duplex.destroyed)
        assert.deepStrictEqual(outcomes(), ["lifetime"])
      }).pipe(Effect.provide(services))
    })
  }

  it.effect("ends a use of UDP", () => {
    const { released, outcomes, services } = scripted()
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send([...greeting(0x00), ...request("0.0.0.0", 0, 0x03)])
      yield* client.receive(12)
      yield* TestClock.adjust("1 minute")
      yield* released
      assert.strictEqual(yield* client.ending, "reset")
      yield* settled
      assert.deepStrictEqual(outcomes(), ["lifetime"])
    }).pipe(Effect.provide(services))
  })

  it.effect("ends a BIND that waits for its target", () => {
    const { outcomes, services } = scripted({
      binder: Layer.succeed(Binder, {
        listen: () => Effect.succeed({ bound: serverAddress, accepted: Effect.never })
      })
    })
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send([...greeting(0x00), ...request("192.0.2.1", 80, 0x02)])
      yield* client.receive(12)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* client.ending, "reset")
      yield* settled
      assert.deepStrictEqual(outcomes(), ["lifetime"])
    }).pipe(Effect.provide(services))
  })

  it.effect("does not reset a failed session during its reply", () => {
    const slow = Effect.andThen(Effect.sleep("59 seconds"), new ConnectionRefused())
    const { outcomes, services } = scripted({ dialer: Layer.succeed(Dialer, { connect: () => slow }) })
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(tunnel)
      yield* settled
      yield* TestClock.adjust("59 seconds")
      assert.deepStrictEqual([...(yield* client.rest)].slice(2), reply(0x05))
      yield* TestClock.adjust("1500 millis")
      yield* settled
      assert.deepStrictEqual(outcomes(), [])
      yield* client.end
      yield* settled
      assert.deepStrictEqual(outcomes(), ["ConnectionRefused"])
    }).pipe(Effect.provide(services))
  })

  it.effect("ends an HTTP request in the middle of its answer", () => {
    const { target, outcomes, services } = scripted()
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(message(["GET http://target.example/ HTTP/1.1", "Host: target.example"]))
      yield* settled
      yield* target().send(message(["HTTP/1.1 200 OK", "Content-Length: 10"], "half"))
      yield* settled
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([yield* client.ending, yield* target().ending], ["reset", "reset"])
      yield* settled
      assert.deepStrictEqual(outcomes(), ["lifetime"])
    }).pipe(Effect.provide(services))
  })

  const identified = (lifetime: Duration.Duration) => ({
    authenticator: Layer.succeed(Authenticator, {
      methods: [Method.UsernamePassword],
      verify: () => Effect.succeed({ user: "alice", limits: { lifetime } })
    })
  })
  const decided = (lifetime: Duration.Duration) => ({
    policy: Layer.succeed(Policy, {
      judge: () => Effect.succeed<Decision>({ verdict: "allow", rule: "short", limits: { lifetime } })
    })
  })
  for (const [what, replacements, seconds] of [
    ["a user's own, if shorter", identified(Duration.seconds(20)), 20],
    ["not a user's own, if longer", identified(Duration.hours(1)), 60],
    ["a rule's, if shorter", decided(Duration.seconds(30)), 30],
    ["not a rule's, if longer", decided(Duration.infinity), 60],
    [
      "a rule's, where there is no other",
      { ...decided(Duration.seconds(30)), config: { ...config, maxLifetime: Duration.infinity } },
      30
    ]
  ] as const) {
    it.effect(`is ${what}`, () => {
      const { outcomes, services } = scripted(replacements)
      const isAsked = "authenticator" in replacements
      return Effect.gen(function* () {
        const client = yield* connect
        const proof = isAsked ? [...greeting(0x02), ...credentials("alice", "secret")] : greeting(0x00)
        yield* client.send([...proof, ...request("192.0.2.1", 80)])
        yield* client.receive(isAsked ? 14 : 12)
        yield* TestClock.adjust(Duration.seconds(seconds - 1))
        yield* settled
        assert.deepStrictEqual(outcomes(), [])
        yield* TestClock.adjust("1 second")
        yield* settled
        assert.deepStrictEqual(outcomes(), ["lifetime"])
      }).pipe(Effect.provide(services))
    })
  }
})
