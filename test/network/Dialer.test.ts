/**
 * Connecting to addresses, with sockets that do as they are told: what each
 * failure means, which of several is reported, and that no socket is left.
 */
import { EventEmitter } from "node:events"
import net from "node:net"
import { assert, beforeEach, describe, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { vi } from "vitest"
import { AddressHistory } from "../../src/network/AddressHistory.ts"
import { Dialer, fromCode } from "../../src/network/Dialer.ts"
import { Resolver } from "../../src/network/Resolver.ts"
import type * as Authorize from "../../src/policy/Authorize.ts"
import * as Direct from "../../src/routes/Direct.ts"
import * as Config from "../../src/server/Config.ts"
import { accessOf } from "../../src/session/States.ts"
import { replaceOfNode } from "../support/replaced.ts"
import { admitted } from "../support/sessions.ts"

const connect = vi.fn()

replaceOfNode(net, { connect })

/** What there is to know of a socket that was asked for. */
class FakeSocket extends EventEmitter {
  localAddress: string | undefined = "198.51.100.1"
  localPort = 40_000
  destroyed = false
  readonly host: string
  constructor(host: string) {
    super()
    this.host = host
  }
  pause() {}
  destroy() {
    this.destroyed = true
  }
  fail(code: string) {
    this.emit("error", Object.assign(new Error(code), { code }))
  }
}

const sockets: Array<FakeSocket> = []

beforeEach(() => {
  sockets.length = 0
  connect.mockReset().mockImplementation((options: { host: string }) => {
    const socket = new FakeSocket(options.host)
    sockets.push(socket)
    return socket
  })
})

const permit = (address: string) => ({
  address: NetAddress.ipFromStringUnsafe(address),
  decision: { verdict: "allow", rule: "one" } as const
})

const dialing = (...addresses: Arr.NonEmptyReadonlyArray<string>) => connecting(Arr.map(addresses, permit))

const connecting = Effect.fnUntraced(function* (permitted: Authorize.Authorized, host = "target.example") {
  const scope = yield* Scope.make()
  const target = { host: Host.domainNameFromStringUnsafe(host), port: 443 }
  const access = { ...accessOf(admitted()), target }
  const fiber = yield* Direct.route.connect({ access, permitted, chargeRule: () => Effect.void }).pipe(
    Effect.map(({ outgoing }) => outgoing),
    Scope.provide(scope),
    Effect.forkChild
  )
  yield* Effect.yieldNow
  return { fiber, close: Scope.close(scope, Exit.void) }
})

const layer = Layer.merge(Dialer.layer, Resolver.layerFixed({})).pipe(Layer.provideMerge(Config.layer()))

/** The error reported when connecting to as many addresses fails with these codes. */
const reported = Effect.fnUntraced(function* (codes: ReadonlyArray<string>) {
  const [first, ...rest] = codes.map((_, i) => `192.0.2.${i + 1}`)
  const { fiber, close } = yield* dialing(first!, ...rest)
  for (const [i, code] of codes.entries()) {
    sockets[i]!.fail(code)
    yield* TestClock.adjust(0)
  }
  const error = yield* Effect.flip(Fiber.join(fiber))
  yield* close
  return error._tag
})

describe("Dialer", () => {
  it.each([
    ["ECONNREFUSED", "ConnectionRefused"],
    ["ECONNRESET", "ConnectionRefused"],
    ["ENETUNREACH", "NetworkUnreachable"],
    ["ENETDOWN", "NetworkUnreachable"],
    ["EHOSTUNREACH", "HostUnreachable"],
    ["EHOSTDOWN", "HostUnreachable"],
    ["ETIMEDOUT", "ConnectTimeout"],
    ["EAFNOSUPPORT", "AddressFamilyUnavailable"],
    ["EACCES", "NotAllowed"],
    ["EPERM", "NotAllowed"],
    ["EMFILE", "OutOfResources"],
    ["ENFILE", "OutOfResources"],
    ["ENOBUFS", "OutOfResources"],
    ["ENOMEM", "OutOfResources"],
    ["EADDRNOTAVAIL", "OutOfResources"],
    ["EPROTO", "ConnectFailed"],
    ["EINVAL", "ConnectFailed"],
    [undefined, "ConnectFailed"]
  ])("takes %s for %s", (code, tag) => {
    const error = fromCode(code)
    assert.strictEqual(error._tag, tag)
    if ("code" in error) assert.strictEqual(error.code, code ?? "unknown")
  })

  it.effect("connects to the given address, and returns both addresses", () =>
    Effect.gen(function* () {
      const { fiber, close } = yield* dialing("2001:db8::1")
      sockets[0]!.emit("connect")
      const outgoing = yield* Fiber.join(fiber)
      assert.strictEqual(outgoing.transport.handOver(new Uint8Array(0)), sockets[0] as never)
      assert.strictEqual(NetAddress.formatInet(outgoing.local), "198.51.100.1:40000")
      assert.strictEqual(NetAddress.formatInet(outgoing.remote), "[2001:db8::1]:443")
      assert.deepInclude(connect.mock.calls[0]![0] as unknown, {
        host: "2001:db8::1",
        port: 443,
        allowHalfOpen: true,
        noDelay: true,
        autoSelectFamily: false
      })
      assert.isFalse(sockets[0]!.destroyed)
      yield* close
      assert.isTrue(sockets[0]!.destroyed)
    }).pipe(Effect.provide(layer))
  )

  it.effect("reports the error nearest to the target, in any order of the errors", () =>
    Effect.gen(function* () {
      const nearestFirst = [
        ["ECONNREFUSED", "ConnectionRefused"],
        ["EHOSTUNREACH", "HostUnreachable"],
        ["EPERM", "NotAllowed"],
        ["ETIMEDOUT", "ConnectTimeout"],
        // Of a machine whose only addresses of a family are those of its links.
        ["EADDRNOTAVAIL", "OutOfResources"],
        ["ENETUNREACH", "NetworkUnreachable"],
        ["EPROTO", "ConnectFailed"],
        ["EAFNOSUPPORT", "AddressFamilyUnavailable"]
      ] as const
      for (const [i, [near, expected]] of nearestFirst.entries()) {
        for (const [far] of nearestFirst.slice(i + 1)) {
          for (const codes of [
            [near, far],
            [far, near]
          ]) {
            sockets.length = 0
            assert.strictEqual(yield* reported(codes), expected, codes.join())
          }
        }
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("reports an earlier error at the deadline, if it tells more", () =>
    Effect.gen(function* () {
      for (const [code, expected] of [
        ["ECONNREFUSED", "ConnectionRefused"],
        ["ENETUNREACH", "ConnectTimeout"]
      ] as const) {
        sockets.length = 0
        const { fiber, close } = yield* dialing("2001:db8::1", "192.0.2.1")
        sockets[0]!.fail(code)
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* Effect.flip(Fiber.join(fiber)))._tag, expected)
        yield* close
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("has one deadline for all addresses together, and leaves no socket behind it", () =>
    Effect.gen(function* () {
      const { fiber, close } = yield* dialing("192.0.2.1", "192.0.2.2", "192.0.2.3")
      yield* TestClock.adjust("9999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      assert.deepStrictEqual(
        sockets.map(({ host, destroyed }) => [host, destroyed]),
        [
          ["192.0.2.1", false],
          ["192.0.2.2", false],
          ["192.0.2.3", false]
        ]
      )
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Effect.flip(Fiber.join(fiber)))._tag, "ConnectTimeout")
      assert.isTrue(sockets.every(({ destroyed }) => destroyed))
      yield* close
    }).pipe(Effect.provide(layer))
  )

  it.effect("leaves only the winner's socket open", () =>
    Effect.gen(function* () {
      const { fiber, close } = yield* dialing("192.0.2.1", "192.0.2.2", "192.0.2.3")
      yield* TestClock.adjust("500 millis")
      sockets[1]!.emit("connect")
      const { remote } = yield* Fiber.join(fiber)
      assert.strictEqual(NetAddress.formatInet(remote), "192.0.2.2:443")
      assert.deepStrictEqual(
        sockets.map(({ destroyed }) => destroyed),
        [true, false, true]
      )
      // A late error finds a listener: without one, Node ends the process.
      for (const socket of sockets) socket.fail("ECONNRESET")
      yield* close
    }).pipe(Effect.provide(layer))
  )

  it.effect("leaves no socket when it is interrupted", () =>
    Effect.gen(function* () {
      const { fiber } = yield* dialing("192.0.2.1", "192.0.2.2")
      yield* TestClock.adjust("300 millis")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(
        sockets.map(({ destroyed }) => destroyed),
        [true, true]
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("takes a socket that has already lost its address as refused", () =>
    Effect.gen(function* () {
      const { fiber } = yield* dialing("192.0.2.1")
      sockets[0]!.localAddress = undefined
      sockets[0]!.emit("connect")
      assert.strictEqual((yield* Effect.flip(Fiber.join(fiber)))._tag, "ConnectionRefused")
    }).pipe(Effect.provide(layer))
  )
})

/** The addresses that are dialled, one after the other, until the one that connects. */
const tried = Effect.fnUntraced(function* (works: string, permitted: Authorize.Authorized, host?: string) {
  sockets.length = 0
  const { fiber, close } = yield* connecting(permitted, host)
  for (let i = 0; fiber.pollUnsafe() === undefined; i++) {
    if (sockets[i]?.host === works) sockets[i]!.emit("connect")
    yield* TestClock.adjust("250 millis")
  }
  const { remote } = yield* Fiber.join(fiber)
  yield* close
  assert.strictEqual(NetAddress.formatIp(remote.address), works)
  return sockets.map(({ host }) => host)
})

describe("Dialer's memory", () => {
  const both = Arr.map(["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"] as const, permit)
  const remembering = Layer.merge(layer, AddressHistory.layer)

  it.effect("tries first the address that worked, and the first address again after a while", () =>
    Effect.gen(function* () {
      const sixFirst = ["2001:db8::1", "192.0.2.1"]
      assert.deepStrictEqual(yield* tried("192.0.2.1", both), sixFirst)
      assert.deepStrictEqual(yield* tried("192.0.2.1", both), ["192.0.2.1"])
      // Of another host nothing is known.
      assert.deepStrictEqual(yield* tried("192.0.2.1", both, "other.example"), sixFirst)
      yield* TestClock.adjust("590 seconds")
      assert.deepStrictEqual(yield* tried("192.0.2.1", both), ["192.0.2.1"])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* tried("192.0.2.1", both), sixFirst)
    }).pipe(Effect.provide(remembering))
  )

  it.effect("begins with the family that worked, if the addresses are new", () =>
    Effect.gen(function* () {
      yield* tried("192.0.2.1", both)
      const others = Arr.map(["2001:db8::8", "192.0.2.8", "192.0.2.9"] as const, permit)
      assert.deepStrictEqual(yield* tried("192.0.2.8", others), ["192.0.2.8"])
      assert.deepStrictEqual(yield* tried("2001:db8::9", [permit("2001:db8::8"), permit("2001:db8::9")]), [
        "2001:db8::8",
        "2001:db8::9"
      ])
    }).pipe(Effect.provide(remembering))
  )

  it.effect("tries the others when the remembered address fails, and forgets it when the first works", () =>
    Effect.gen(function* () {
      yield* tried("192.0.2.1", both)
      assert.deepStrictEqual(yield* tried("2001:db8::1", both), ["192.0.2.1", "2001:db8::1"])
      assert.deepStrictEqual(yield* tried("2001:db8::1", both), ["2001:db8::1"])
    }).pipe(Effect.provide(remembering))
  )
})

describe("the addresses of a late family", () => {
  const late = (millis: number, ...addresses: ReadonlyArray<string>) =>
    Effect.as(Effect.sleep(millis), addresses.map(permit))

  it.effect("are tried after all others, as soon as they have failed", () =>
    Effect.gen(function* () {
      const permitted = Object.assign([permit("2001:db8::1")] as const, { late: late(100, "192.0.2.1") })
      const { fiber, close } = yield* connecting(permitted)
      sockets[0]!.fail("ENETUNREACH")
      yield* TestClock.adjust("99 millis")
      assert.lengthOf(sockets, 1)
      yield* TestClock.adjust("1 millis")
      sockets[1]!.emit("connect")
      assert.strictEqual(NetAddress.formatInet((yield* Fiber.join(fiber)).remote), "192.0.2.1:443")
      yield* close
    }).pipe(Effect.provide(layer))
  )

  it.effect("are not waited for if others work", () =>
    Effect.gen(function* () {
      const permitted = Object.assign([permit("2001:db8::1")] as const, { late: Effect.never })
      assert.deepStrictEqual(yield* tried("2001:db8::1", permitted), ["2001:db8::1"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("leave the error of the others if there are none", () =>
    Effect.gen(function* () {
      const permitted = Object.assign([permit("2001:db8::1")] as const, { late: late(100) })
      const { fiber, close } = yield* connecting(permitted)
      sockets[0]!.fail("ECONNREFUSED")
      yield* TestClock.adjust("100 millis")
      assert.strictEqual((yield* Effect.flip(Fiber.join(fiber)))._tag, "ConnectionRefused")
      yield* close
    }).pipe(Effect.provide(layer))
  )
})
