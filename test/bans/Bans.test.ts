/**
 * What guessing comes to: for the guesser, and for everyone else.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import { TestClock } from "effect/testing"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import { Bans } from "../../src/bans/Bans.ts"
import { AuthenticationFailed } from "../../src/Errors.ts"
import { Method } from "../../src/wire/Socks5.ts"
import { attempt, isAdmitted, layer } from "../support/guarded.ts"

const guesses = (count: number, from: string) =>
  Effect.forEach(Array.from({ length: count }), () => attempt(from))

const banned = Effect.flatMap(Bans, ({ list }) =>
  Effect.map(list, (bans) => bans.map(({ network }) => IpNetwork.format(network)))
)

describe("Bans", () => {
  it.effect("check three guesses, the next after a second, and the next after two", () =>
    Effect.gen(function* () {
      const seconds = (count: number) => TestClock.adjust(Duration.seconds(count))
      assert.deepStrictEqual(yield* guesses(4, "203.0.113.7"), ["wrong", "wrong", "wrong", "unheard"])
      assert.strictEqual(yield* attempt("203.0.113.7", "secret"), "unheard")
      yield* seconds(1)
      assert.deepStrictEqual(yield* guesses(2, "203.0.113.7"), ["wrong", "unheard"])
      assert.strictEqual(yield* attempt("203.0.113.8", "secret"), "in")
      yield* seconds(60)
      assert.strictEqual(yield* attempt("203.0.113.7", "secret"), "in")
    }).pipe(Effect.provide(layer({ banAfter: 100 })))
  )

  it.effect("ban a network after ten guesses until the ban time is over, also for the right password", () =>
    Effect.gen(function* () {
      yield* guesses(9, "203.0.113.7")
      assert.isTrue(yield* isAdmitted("203.0.113.7"))
      yield* guesses(1, "203.0.113.7")
      assert.isFalse(yield* isAdmitted("203.0.113.7"))
      assert.isTrue(yield* isAdmitted("203.0.113.8"))
      assert.strictEqual(yield* attempt("203.0.113.7", "secret"), "unheard")
      yield* TestClock.adjust("599999 millis")
      assert.isFalse(yield* isAdmitted("203.0.113.7"))
      yield* TestClock.adjust("1 millis")
      assert.isTrue(yield* isAdmitted("203.0.113.7"))
      assert.strictEqual(yield* attempt("203.0.113.7", "secret"), "in")
      assert.strictEqual(yield* Effect.flatMap(Bans, ({ turnedAway }) => turnedAway), 2)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("depend on the settings of the listener of the login", () =>
    Effect.gen(function* () {
      const strict = Layer.succeedContext(yield* Layer.build(layer({ banAfter: 1 })))
      const bans = Layer.succeed(Bans, yield* Bans)
      yield* guesses(1, "203.0.113.7")
      assert.deepStrictEqual(yield* banned, [])
      yield* guesses(1, "203.0.113.7").pipe(Effect.provide(Layer.merge(strict, bans)))
      assert.deepStrictEqual(yield* banned, ["203.0.113.7/32"])
    }).pipe(Effect.provide(layer({ banAfter: "off" })))
  )

  it.effect("ban no network when off, and still delay guesses", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* guesses(1000, "203.0.113.7")).filter((it) => it === "wrong").length, 3)
      assert.deepStrictEqual(yield* banned, [])
    }).pipe(Effect.provide(layer({ banAfter: "off" })))
  )

  it.effect("count a /64 as one network, and IPv4 in IPv6 form as IPv4", () =>
    Effect.gen(function* () {
      for (let n = 0; n < 10; n++) yield* attempt(`2001:db8::${n}`)
      assert.isFalse(yield* isAdmitted("2001:db8::ffff"))
      assert.isTrue(yield* isAdmitted("2001:db8:0:1::"))
      for (let n = 0; n < 10; n++) yield* attempt(n % 2 === 0 ? "203.0.113.7" : "::ffff:203.0.113.7")
      assert.isFalse(yield* isAdmitted("203.0.113.7"))
      assert.isFalse(yield* isAdmitted("::ffff:203.0.113.7"))
      assert.deepStrictEqual(yield* banned, ["2001:db8::/64", "203.0.113.7/32"])
    }).pipe(Effect.provide(layer()))
  )

  for (const host of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]) {
    it.effect(`do not ban ${host}, which is only delayed, and let no operator ban it`, () =>
      Effect.gen(function* () {
        yield* guesses(20, host)
        assert.deepStrictEqual(yield* banned, [])
        assert.strictEqual(yield* attempt(host, "secret"), "unheard")
        const { ban } = yield* Bans
        yield* ban(IpNetwork.fromStringUnsafe("0.0.0.0/0"), Duration.minutes(1), "all")
        yield* ban(IpNetwork.fromStringUnsafe("::/0"), Duration.minutes(1), "all")
        assert.isTrue(yield* isAdmitted(host))
        yield* TestClock.adjust("59 seconds")
        assert.strictEqual(yield* attempt(host, "secret"), "in")
      }).pipe(Effect.provide(layer()))
    )
  }

  it.effect("ignore clients of Unix-domain sockets", () =>
    Effect.gen(function* () {
      const socket = NetAddress.unixPathAddress("/run/socks")
      for (let n = 0; n < 20; n++) assert.strictEqual(yield* attempt(socket), "wrong")
      assert.strictEqual(yield* attempt(socket, "secret"), "in")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("do not count guesses of a trusted network, and let no operator ban it", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual([...new Set(yield* guesses(20, "198.51.100.9"))], ["wrong"])
      const { ban, suspects } = yield* Bans
      assert.deepStrictEqual([yield* banned, yield* suspects], [[], []])
      yield* ban(IpNetwork.fromStringUnsafe("0.0.0.0/0"), Duration.minutes(1), "all")
      assert.isTrue(yield* isAdmitted("198.51.100.9"))
      assert.isTrue(yield* isAdmitted("198.51.100.9", "203.0.113.1"))
      assert.strictEqual(yield* attempt("198.51.100.9", "secret"), "in")
      assert.isFalse(yield* isAdmitted("203.0.113.1"))
    }).pipe(Effect.provide(layer({ trust: [IpNetwork.fromStringUnsafe("198.51.100.0/24")] })))
  )

  it.effect("refuse the client in the PROXY header, and never the proxy", () =>
    Effect.gen(function* () {
      yield* guesses(10, "198.51.100.9")
      assert.isTrue(yield* isAdmitted("198.51.100.9"))
      assert.isFalse(yield* isAdmitted("198.51.100.9", "198.51.100.1"))
      assert.isTrue(yield* isAdmitted("203.0.113.7", "198.51.100.9"))
    }).pipe(Effect.provide(layer({ proxyProtocolFrom: [IpNetwork.fromStringUnsafe("198.51.100.0/24")] })))
  )

  it.effect("can be added, listed and lifted at run time", () =>
    Effect.gen(function* () {
      const { ban, lift, list } = yield* Bans
      const network = IpNetwork.fromStringUnsafe("203.0.113.0/24")
      yield* ban(network, Duration.minutes(1), "abuse")
      const one = { network, until: 60_000, reason: "abuse", failures: 0 }
      assert.deepInclude((yield* list)[0], one)
      assert.isFalse(yield* isAdmitted("203.0.113.7"))
      const [lifted] = yield* lift(IpNetwork.fromStringUnsafe("203.0.113.7/32"))
      assert.deepInclude(lifted, one)
      assert.isTrue(yield* isAdmitted("203.0.113.7"))
      assert.deepStrictEqual(yield* list, [])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("count only failures", () =>
    Effect.gen(function* () {
      yield* guesses(2, "203.0.113.7")
      const { suspects } = yield* Bans
      assert.deepStrictEqual(yield* suspects, [{ network: "203.0.113.7/32", failures: 2, waitsUntil: 0 }])
      const dying = Layer.succeed(Authenticator, {
        methods: [Method.UsernamePassword],
        verify: () => Effect.die("overloaded")
      })
      yield* Effect.exit(Effect.provide(attempt("203.0.113.7"), dying))
      assert.strictEqual((yield* suspects)[0]?.failures, 2)
      yield* attempt("203.0.113.7", "secret")
      assert.deepStrictEqual(yield* suspects, [])
    }).pipe(Effect.provide(layer()))
  )

  const slow = Layer.succeed(Authenticator, {
    methods: [Method.UsernamePassword],
    verify: () =>
      Effect.andThen(Effect.sleep("100 millis"), Effect.fail(new AuthenticationFailed({ user: "alice" })))
  })
  const together = Effect.fnUntraced(function* (count: number) {
    const all = Effect.forEach(Array.from({ length: count }), () => attempt("203.0.113.7"), {
      concurrency: "unbounded"
    })
    const fiber = yield* Effect.forkChild(all)
    yield* TestClock.adjust("10 seconds")
    return yield* Fiber.join(fiber)
  })

  it.effect("check no more guesses of a client that sends many at once", () =>
    Effect.gen(function* () {
      const heard = (yield* together(500)).filter((it) => it === "wrong")
      // Three, and those who were under way when it was the third.
      assert.isAtMost(heard.length, 10)
      assert.isFalse(yield* isAdmitted("203.0.113.7"))
    }).pipe(Effect.provide(layer({}, slow)))
  )

  it.effect("ban a network once for several concurrent failures", () =>
    Effect.gen(function* () {
      yield* together(8)
      yield* TestClock.adjust("10 minutes")
      assert.isTrue(yield* isAdmitted("203.0.113.7"))
    }).pipe(Effect.provide(layer({ banAfter: 1 }, slow)))
  )
})
