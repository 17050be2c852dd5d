/**
 * Bans of several machines, with a store in memory.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import * as fc from "fast-check"
import * as BanDecisions from "../../src/bans/BanDecisions.ts"
import type { Ban } from "../../src/bans/BanList.ts"
import { networkOf } from "../../src/bans/BanUpdate.ts"
import * as ClientNetwork from "../../src/base/ClientNetwork.ts"
import * as Hmac from "../../src/base/Hmac.ts"
import type { Words } from "../../src/fleet/BanWords.ts"
import * as BanWordsFile from "../../src/fleet/BanWordsFile.ts"
import * as FleetBans from "../../src/fleet/FleetBans.ts"
import type { FleetStore as FleetStoreTag } from "../../src/fleet/FleetStore.ts"
import * as Keys from "../../src/fleet/Keys.ts"
import { ExchangeBans } from "../../src/fleet/scripts/ExchangeBans.ts"
import { ListBans } from "../../src/fleet/scripts/ListBans.ts"
import * as Config from "../../src/server/Config.ts"
import * as FleetStore from "../support/fleet-store.ts"
import { holds } from "../support/property.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

const settings = { ...Config.defaults, banAfter: 10 }

const keys = Keys.make("fleet")

/** The file of a machine's words, in memory. */
const wordsOf = () => {
  let left: Words = []
  return {
    get left() {
      return left
    },
    save: (words: Words) =>
      Effect.sync(() => {
        left = words
        return true
      })
  }
}

/** A machine on a store. */
const machineOn = Effect.fnUntraced(function* (
  shared: ReturnType<typeof FleetStore.make>,
  name: string,
  begin: (decisions: BanDecisions.BanDecisions) => void = () => {},
  machines = () => 1,
  wordsFile: BanWordsFile.BanWordsFile = BanWordsFile.none
) {
  const { store: near, ...link } = shared.connect()
  /** What waits while the machine stands still, and what is on its way to the store. */
  const waiting = { forMachine: [] as Array<() => void>, forStore: [] as Array<() => void> }
  const isStill = { machine: false, way: false }
  const store: FleetStoreService = {
    ...near,
    call: (script, all, args, answer) => {
      const send = () =>
        near.call(script, all, args, (reply) =>
          isStill.machine && script.name === ListBans.name
            ? void waiting.forMachine.push(() => answer(reply))
            : answer(reply)
        )
      if (isStill.way) waiting.forStore.push(send)
      else send()
    }
  }
  const sharing = FleetBans.make({
    ...{ store, keys, machine: name, now: shared.now, storeNow: shared.now, machines, wordsFile },
    key: Buffer.from("the fleet's").toString("base64"),
    wake: () => {}
  })
  const decisions = BanDecisions.make(Hmac.hashes, sharing.tell)
  sharing.attach(decisions)
  yield* store.subscribe(FleetBans.channelOf(keys), (text) =>
    isStill.machine ? void waiting.forMachine.push(() => sharing.receive(text)) : sharing.receive(text)
  )
  begin(decisions)
  const exchange = shared.settled(sharing.exchange)
  yield* Effect.exit(exchange)
  /** An exchange that arrives, and whose answer does not: the connection is cut meanwhile. */
  const exchangeUnheard = Effect.fnUntraced(function* (meanwhile: () => void = () => {}) {
    const fiber = yield* Effect.forkChild(sharing.exchange, { startImmediately: true })
    link.cut()
    meanwhile()
    yield* shared.pass(1000)
    assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
  })
  const attempt = (address: string, user: string, password: string) => {
    const ip = NetAddress.ipFromStringUnsafe(address)
    const [network = "", ...wider] = ClientNetwork.around(ip).map(IpNetwork.format)
    return {
      ...{ network, wider, area: ClientNetwork.areaOf(ip), now: shared.now(), window: 600_000 },
      account: decisions.digest(bytes(user)),
      guess: decisions.digest(bytes(network), bytes(user), bytes(password))
    }
  }
  return {
    ...link,
    decisions,
    exchange,
    save: sharing.save,
    exchangeUnheard,
    /** From now on, news and lists of bans wait for the machine; or calls wait on the way to the store. */
    stop: (what: keyof typeof isStill) => {
      isStill[what] = true
    },
    /** All that waits arrives. */
    goOn: Effect.suspend(() => {
      isStill.machine = false
      isStill.way = false
      for (const call of [...waiting.forMachine.splice(0), ...waiting.forStore.splice(0)]) call()
      return shared.settle
    }),
    attempt,
    fail: (address: string, user: string, password: string) =>
      decisions.failed(
        "failed",
        NetAddress.ipFromStringUnsafe(address),
        attempt(address, user, password),
        settings
      ),
    logIn: (address: string, user: string, password: string) =>
      Effect.sync(() => decisions.succeeded(attempt(address, user, password))),
    ban: (network: string, time = 3_600_000) =>
      decisions.ban({
        network: networkOf(network),
        until: shared.now() + time,
        reason: "abuse",
        failures: 0
      }),
    lift: (network: string) => decisions.lift(networkOf(network), shared.now()),
    bans: () => decisions.list(shared.now()).map(({ network }) => IpNetwork.format(network))
  }
})

/** A ban that a file has. */
const ofFile = ({ now }: { readonly now: () => number }) => ({
  ...{ network: networkOf("203.0.113.7/32"), until: now() + 3_600_000 },
  ...{ reason: "abuse", failures: 0 }
})

type FleetStoreService = FleetStoreTag["Service"]

const quietly = Effect.provideService(References.MinimumLogLevel, "None")

describe("FleetBans", () => {
  it.effect("guesses at several machines count together, each once, and lead to a ban everywhere", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const machines = yield* Effect.forEach(["a", "b", "c"], (name) => machineOn(shared, name))
      const [a, b, c] = machines
      for (const [index, machine] of machines.entries()) {
        for (let guess = 0; guess < 3; guess++)
          yield* machine.fail("203.0.113.7", "alice", `${index} ${guess}`)
        // A program with an old password, at each machine.
        yield* machine.fail("203.0.113.8", "bob", "old")
      }
      for (const { exchange } of machines) yield* exchange
      assert.deepStrictEqual(
        machines.map(({ bans }) => bans()),
        [[], [], []]
      )
      // The delay of the network is that of all guesses.
      assert.isTrue(c!.decisions.isTooSoon(c!.attempt("203.0.113.7", "alice", "another")))
      yield* a!.fail("203.0.113.7", "alice", "the tenth")
      yield* a!.exchange
      assert.deepStrictEqual(a!.bans(), ["203.0.113.7/32"])
      // It is told with the next exchange, which `wake` asks for at once.
      yield* a!.exchange
      assert.deepStrictEqual(b!.bans(), ["203.0.113.7/32"])
      assert.deepStrictEqual(c!.bans(), ["203.0.113.7/32"])
      assert.strictEqual(b!.decisions.list(shared.now())[0]?.failures, 10)
    }).pipe(quietly)
  )

  it.effect(
    "a machine that knows users by another key, from before it was in the fleet, counts with the others",
    () =>
      Effect.gen(function* () {
        const shared = FleetStore.make()
        const a = yield* machineOn(shared, "a")
        const b = yield* machineOn(shared, "b", (decisions) =>
          decisions.restoreKnownPairs({ key: Buffer.from("its own").toString("base64"), known: [] })
        )
        for (let guess = 0; guess < 5; guess++) {
          for (const machine of [a, b]) yield* machine.fail("203.0.113.7", "alice", `the same ${guess}`)
        }
        for (const { exchange } of [a, b, a]) yield* exchange
        assert.deepStrictEqual(a.bans(), [])
        yield* a.fail("203.0.113.7", "alice", "the sixth")
        yield* a.exchange
        assert.deepStrictEqual(a.bans(), [])
      }).pipe(quietly)
  )

  it.effect(
    "a ban that was lifted while a machine was down is not made again by the machine's own file",
    () =>
      Effect.gen(function* () {
        const shared = FleetStore.make()
        const a = yield* machineOn(shared, "a")
        const own = { network: networkOf("203.0.113.7/32"), reason: "abuse", failures: 0 }
        a.ban("203.0.113.7/32")
        yield* a.exchange
        a.lift("203.0.113.7/32")
        yield* a.exchange
        const b = yield* machineOn(shared, "b", (decisions) =>
          decisions.ban({ ...own, until: shared.now() + 3_600_000 })
        )
        yield* a.exchange
        assert.deepStrictEqual([a.bans(), b.bans()], [[], []])
      }).pipe(quietly)
  )

  it.effect("the right login takes back the guesses for its user from all machines", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const [a, b] = yield* Effect.forEach(["a", "b"], (name) => machineOn(shared, name))
      for (let guess = 0; guess < 9; guess++) yield* a!.fail("203.0.113.7", "alice", `typo ${guess}`)
      yield* a!.exchange
      yield* b!.logIn("203.0.113.7", "alice", "right")
      yield* b!.exchange
      // Known there, too.
      assert.isTrue(a!.decisions.isExempt(a!.attempt("203.0.113.7", "alice", "typo")))
      for (let guess = 0; guess < 9; guess++) yield* b!.fail("203.0.113.7", "carol", `typo ${guess}`)
      yield* b!.exchange
      assert.deepStrictEqual(b!.bans(), [])
    }).pipe(quietly)
  )

  it.effect("guesses from more networks than the store counts displace none that has made many", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const [a, c] = yield* Effect.forEach(["a", "c"], (name) => machineOn(shared, name))
      a!.ban("192.0.2.1/32")
      for (let guess = 0; guess < 9; guess++) yield* a!.fail("203.0.113.7", "alice", `guess ${guess}`)
      yield* a!.exchange
      const before = shared.database.size()
      const [bans, ...others] = ["bans", "ends", "words", "revision", "known"].map((kind) =>
        keys.ofBucket(kind, Keys.bucketOf("bans"))
      )
      for (let batch = 0; batch < 10; batch++) {
        const guesses = Array.from({ length: 500 }, (_, index) => {
          const network = `2001:${(1000 * batch + index).toString(16)}::`
          return [`a guess from ${network}`, 600_000, ["/64", "/56", "/48"].map((size) => network + size)]
        })
        const told = JSON.stringify({ bans: [], lifted: [], guesses, forgiven: [], known: [] })
        ExchangeBans.run(shared.database, [bans!, ...others], [told, "x", "news", ""])
      }
      assert.isAtMost(shared.database.size() - before, 8192)
      assert.isAtLeast(shared.database.size() - before, 8000)
      yield* c!.fail("203.0.113.7", "alice", "the tenth")
      yield* c!.exchange
      assert.deepStrictEqual([...c!.bans()].sort(), ["192.0.2.1/32", "203.0.113.7/32"])
      // A network that is new to the full table is counted, too.
      for (let guess = 0; guess < 5; guess++) yield* a!.fail("203.0.113.8", "bob", `guess ${guess}`)
      yield* a!.exchange
      for (let guess = 5; guess < 10; guess++) yield* c!.fail("203.0.113.8", "bob", `guess ${guess}`)
      yield* c!.exchange
      assert.include(c!.bans(), "203.0.113.8/32")
    }).pipe(quietly)
  )

  it.effect("the right login takes back its guesses from the wider networks, too", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const [a, b] = yield* Effect.forEach(["a", "b"], (name) => machineOn(shared, name))
      const counted = (network: string) =>
        shared.database.hget(`${keys.ofBucket("bans", Keys.bucketOf("bans"))}:guesses:${network}`, "#count")
      for (const user of ["alice", "bob"]) {
        for (let guess = 0; guess < 3; guess++) yield* a!.fail("2001:db8::1", user, `guess ${guess}`)
      }
      yield* a!.fail("2001:db8:0:1::1", "alice", "a guess")
      yield* a!.exchange
      assert.deepStrictEqual(["2001:db8::/64", "2001:db8::/56", "2001:db8::/48"].map(counted), [
        "6",
        "7",
        "7"
      ])
      yield* b!.logIn("2001:db8::1", "alice", "right")
      yield* b!.exchange
      assert.deepStrictEqual(["2001:db8::/64", "2001:db8::/56", "2001:db8::/48"].map(counted), [
        "3",
        "4",
        "4"
      ])
    }).pipe(quietly)
  )

  it.effect(
    "a machine of many tells the store of few guesses in a second, and counts the others itself",
    () =>
      Effect.gen(function* () {
        const shared = FleetStore.make()
        const a = yield* machineOn(shared, "a", undefined, () => 1000)
        const fail = (from: number) =>
          Effect.forEach(
            Array.from({ length: 30 }, (_, index) => `203.0.113.${from + index}`),
            (address) => a.fail(address, "alice", "a guess"),
            { discard: true }
          )
        const told = () =>
          shared.database.smembers(`${keys.ofBucket("bans", Keys.bucketOf("bans"))}:guesses`).length
        for (let turn = 0; turn < 3; turn++) {
          yield* fail(30 * turn)
          yield* a.exchange
          assert.strictEqual(told(), 20)
        }
        yield* shared.pass(1000)
        yield* fail(90)
        yield* a.exchange
        assert.strictEqual(told(), 40)
        for (let guess = 0; guess < 10; guess++) yield* a.fail("198.51.100.7", "alice", `guess ${guess}`)
        assert.deepStrictEqual(a.bans(), ["198.51.100.7/32"])
      }).pipe(quietly)
  )

  it.effect("many bans are told in parts, and not more of them wait for a store than there may be", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const { store } = shared.connect()
      const parts: Array<number> = []
      let woken = 0
      const sharing = FleetBans.make({
        store: {
          call: (script, all, args, answer) => {
            if (script.name === ExchangeBans.name) parts.push(JSON.parse(String(args[0])).bans.length)
            store.call(script, all, args, answer)
          }
        },
        ...{ keys, machine: "a", now: shared.now, storeNow: shared.now, machines: () => 1 },
        ...{ wordsFile: BanWordsFile.none, key: "", wake: () => void woken++ }
      })
      sharing.attach(BanDecisions.make(Hmac.hashes))
      yield* shared.settled(sharing.exchange)
      for (let index = 0; index < 40_000; index++) {
        const network = `10.${index >> 8}.${index & 255}.1/32`
        sharing.tell({ _tag: "ban", network, until: shared.now() + 1e6, reason: "abuse", failures: 0 })
      }
      woken = 0
      yield* shared.settled(sharing.exchange)
      assert.deepStrictEqual([parts.at(-1), woken], [4096, 1])
      while (woken > 0) {
        woken = 0
        yield* shared.settled(sharing.exchange)
      }
      assert.strictEqual(
        parts.reduce((sum, count) => sum + count, 0),
        32_768
      )
    }).pipe(quietly)
  )

  it.effect("a store that was emptied of many bans has them again in parts", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const [a, b] = yield* Effect.forEach(["a", "b"], (name) => machineOn(shared, name))
      for (let index = 0; index < 5000; index++) a!.ban(`10.${index >> 8}.${index & 255}.1/32`)
      for (const { exchange } of [a, a, b, b].map((one) => one!)) yield* exchange
      assert.lengthOf(b!.bans(), 5000)
      shared.database.flush()
      const inStore = () => shared.database.hgetall(keys.ofBucket("bans", Keys.bucketOf("bans"))).size
      // It learns that they are gone, and tells them.
      const seen: Array<number> = []
      for (let turn = 0; turn < 3; turn++) {
        yield* a!.exchange
        seen.push(inStore())
      }
      assert.deepStrictEqual(seen, [0, 4096, 5000])
      const { scripts } = shared.counts
      yield* b!.exchange
      assert.strictEqual(inStore(), 5000)
      assert.lengthOf(b!.bans(), 5000)
      assert.isAtMost(shared.counts.scripts - scripts, 2)
    }).pipe(quietly)
  )

  it.effect("a known pair is told by one machine a minute, and each machine forgives its guesses", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const [a, b] = yield* Effect.forEach(["a", "b", "c"], (name) => machineOn(shared, name))
      yield* a!.logIn("203.0.113.7", "alice", "right")
      yield* a!.exchange
      yield* b!.fail("203.0.113.7", "alice", "wrong")
      yield* b!.exchange
      const { messages } = shared.counts
      yield* b!.logIn("203.0.113.7", "alice", "right")
      yield* b!.exchange
      assert.strictEqual(shared.counts.messages, messages)
      const guesses = `${keys.ofBucket("bans", Keys.bucketOf("bans"))}:guesses:203.0.113.7/32`
      assert.strictEqual(shared.database.hgetall(guesses).size, 0)
      yield* shared.pass(61_000)
      yield* b!.logIn("203.0.113.7", "alice", "right")
      yield* b!.exchange
      assert.isAbove(shared.counts.messages, messages)
    })
  )

  it.effect("a ban and its lifting reach a machine that was cut off, and one that begins", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const [a, b] = yield* Effect.forEach(["a", "b"], (name) => machineOn(shared, name))
      a!.ban("203.0.113.0/24")
      a!.ban("198.51.100.7/32")
      yield* a!.exchange
      assert.deepStrictEqual(b!.bans().sort(), ["198.51.100.7/32", "203.0.113.0/24"])

      b!.cut()
      a!.lift("203.0.113.7/32")
      a!.ban("192.0.2.1/32")
      yield* a!.exchange
      assert.isTrue(Exit.isFailure(yield* Effect.exit(b!.exchange)))
      assert.include(b!.bans(), "203.0.113.0/24")
      b!.mend()
      yield* b!.exchange
      assert.deepStrictEqual(b!.bans().sort(), ["192.0.2.1/32", "198.51.100.7/32"])

      // Its file has a ban that was lifted while it was away, and one that the others do not know.
      const c = yield* machineOn(shared, "c", (decisions) => {
        for (const network of ["203.0.113.0/24", "192.0.2.2/32"]) {
          decisions.ban({
            network: networkOf(network),
            until: shared.now() + 1e6,
            reason: "file",
            failures: 0
          })
        }
      })
      yield* c.exchange
      const all = ["192.0.2.1/32", "192.0.2.2/32", "198.51.100.7/32"]
      for (const machine of [a, b, c]) {
        yield* machine!.exchange
        assert.deepStrictEqual(machine!.bans().sort(), all)
      }
    }).pipe(quietly)
  )

  it.effect("what was decided without the store is told when it is back", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const [a, b] = yield* Effect.forEach(["a", "b"], (name) => machineOn(shared, name))
      a!.ban("203.0.113.0/24")
      yield* a!.exchange
      shared.stop()
      a!.ban("192.0.2.1/32")
      yield* Effect.exit(a!.exchange)
      a!.lift("203.0.113.0/24")
      yield* Effect.exit(a!.exchange)
      a!.ban("192.0.2.2/32")
      shared.start()
      yield* shared.settle
      yield* a!.exchange
      yield* b!.exchange
      for (const { bans } of [a!, b!]) assert.deepStrictEqual(bans().sort(), ["192.0.2.1/32", "192.0.2.2/32"])
    }).pipe(quietly)
  )

  it.effect("a store that was emptied has all bans again, and none is lifted by that", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const [a, b] = yield* Effect.forEach(["a", "b"], (name) => machineOn(shared, name))
      a!.ban("203.0.113.0/24")
      a!.ban("192.0.2.1/32")
      yield* a!.exchange
      shared.database.flush()
      yield* b!.exchange
      yield* b!.exchange
      assert.deepStrictEqual(b!.bans().sort(), ["192.0.2.1/32", "203.0.113.0/24"])
      const c = yield* machineOn(shared, "c")
      assert.deepStrictEqual(c.bans().sort(), ["192.0.2.1/32", "203.0.113.0/24"])
      // The same hashes, so that guesses are the same on all machines.
      assert.strictEqual(
        c.attempt("203.0.113.7", "alice", "x").guess,
        a!.attempt("203.0.113.7", "alice", "x").guess
      )
      b!.lift("203.0.113.0/24")
      yield* b!.exchange
      for (const { exchange, bans } of [a!, b!, c]) {
        yield* exchange
        assert.deepStrictEqual(bans(), ["192.0.2.1/32"])
      }
    }).pipe(quietly)
  )

  describe("a ban that was lifted while a machine was cut off does not come back", () => {
    it.effect("where the machine had told of it, and heard no answer", () =>
      Effect.gen(function* () {
        const shared = FleetStore.make()
        const [a, b] = yield* Effect.forEach(["a", "b"], (name) => machineOn(shared, name))
        a!.ban("203.0.113.7/32")
        yield* a!.exchangeUnheard()
        yield* b!.exchange
        assert.deepStrictEqual(b!.bans(), ["203.0.113.7/32"])
        yield* shared.pass(5000)
        b!.lift("203.0.113.7/32")
        yield* b!.exchange
        yield* shared.pass(5000)
        a!.mend()
        yield* a!.exchange
        yield* b!.exchange
        assert.deepStrictEqual([a!.bans(), b!.bans()], [[], []])
      }).pipe(quietly)
    )

    it.effect("where it was lifted while the machine told of it, and heard no answer", () =>
      Effect.gen(function* () {
        const shared = FleetStore.make()
        const [a, b] = yield* Effect.forEach(["a", "b"], (name) => machineOn(shared, name))
        a!.ban("203.0.113.7/32")
        // Later than two decisions are told apart.
        yield* shared.pass(5000)
        yield* a!.exchangeUnheard(() => a!.lift("203.0.113.7/32"))
        a!.mend()
        yield* a!.exchange
        yield* b!.exchange
        assert.deepStrictEqual([a!.bans(), b!.bans()], [[], []])
      }).pipe(quietly)
    )

    for (const first of [0, 1]) {
      it.effect(`where the store was emptied meanwhile: machine ${first} tells it first`, () =>
        Effect.gen(function* () {
          const shared = FleetStore.make()
          const machines = yield* Effect.forEach(["a", "b"], (name) => machineOn(shared, name))
          const [a, b] = machines
          for (const network of ["203.0.113.7/32", "192.0.2.0/24"]) a!.ban(network)
          yield* a!.exchange
          yield* shared.pass(5000)
          b!.cut()
          a!.lift("203.0.113.7/32")
          yield* a!.exchange
          yield* shared.pass(5000)
          shared.database.flush()
          b!.mend()
          for (const place of [first, first, 1 - first, 1 - first, first, 1 - first]) {
            yield* machines[place]!.exchange
          }
          assert.deepStrictEqual([a!.bans(), b!.bans()], [["192.0.2.0/24"], ["192.0.2.0/24"]])
          const c = yield* machineOn(shared, "c")
          assert.deepStrictEqual(c.bans(), ["192.0.2.0/24"])
        }).pipe(quietly)
      )
    }

    for (const [what, asks] of [
      ["heard of the ban", false],
      ["had the list of bans", true]
    ] as const) {
      it.effect(`where the machine stood still before it ${what}`, () =>
        Effect.gen(function* () {
          const shared = FleetStore.make()
          const [a, b, c] = yield* Effect.forEach(["a", "b", "c"], (name) => machineOn(shared, name))
          c!.stop("machine")
          a!.ban("203.0.113.7/32")
          yield* a!.exchange
          const asking = yield* Effect.forkChild(asks ? c!.exchange : Effect.void, { startImmediately: true })
          yield* shared.settle
          // No notice of the lifting comes.
          c!.cut()
          yield* shared.pass(500)
          b!.lift("203.0.113.7/32")
          yield* b!.exchange
          yield* shared.pass(5000)
          c!.mend()
          yield* c!.goOn
          yield* Fiber.await(asking)
          for (const { exchange } of [c!, a!, b!, c!]) yield* exchange
          assert.deepStrictEqual([a!.bans(), b!.bans(), c!.bans()], [[], [], []])
        }).pipe(quietly)
      )
    }

    it.effect("where the machine is the first to tell of it a store that was emptied", () =>
      Effect.gen(function* () {
        const shared = FleetStore.make()
        const [a, b] = yield* Effect.forEach(["a", "b"], (name) => machineOn(shared, name))
        b!.cut()
        b!.ban("203.0.113.7/32")
        yield* shared.pass(5000)
        a!.lift("203.0.113.7/32")
        yield* a!.exchange
        shared.database.flush()
        // A new machine, so that news of the emptied store is newer than what the first one has seen.
        const c = yield* machineOn(shared, "c")
        for (const address of ["192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"]) {
          c.ban(address)
          yield* c.exchange
        }
        b!.mend()
        yield* b!.exchange
        assert.notInclude(a!.bans(), "203.0.113.7/32")
        for (const { exchange } of [a!, a!, b!, c]) yield* exchange
        for (const { bans } of [a!, b!, c]) assert.notInclude(bans(), "203.0.113.7/32")
      }).pipe(quietly)
    )

    it.effect("where the machine's word of it was long on its way to the store", () =>
      Effect.gen(function* () {
        const shared = FleetStore.make()
        const [a, b] = yield* Effect.forEach(["a", "b"], (name) => machineOn(shared, name))
        a!.stop("way")
        a!.ban("203.0.113.7/32")
        const telling = yield* Effect.forkChild(Effect.exit(a!.exchange), { startImmediately: true })
        yield* shared.pass(500)
        b!.ban("203.0.113.7/32")
        yield* b!.exchange
        yield* shared.pass(5000)
        b!.lift("203.0.113.7/32")
        yield* b!.exchange
        yield* shared.pass(5000)
        yield* a!.goOn
        yield* Fiber.await(telling)
        assert.deepStrictEqual(b!.bans(), [])
        for (const { exchange } of [a!, b!]) yield* exchange
        assert.deepStrictEqual([a!.bans(), b!.bans()], [[], []])
      }).pipe(quietly)
    )

    it.effect("where all that knew it began anew, as did the store", () =>
      Effect.gen(function* () {
        const shared = FleetStore.make()
        const wordsFile = wordsOf()
        const a = yield* machineOn(shared, "a", undefined, undefined, wordsFile)
        const b = yield* machineOn(shared, "b")
        a.ban("203.0.113.7/32")
        yield* a.exchange
        yield* shared.pass(5000)
        b.cut()
        a.lift("203.0.113.7/32")
        yield* a.exchange
        yield* a.save
        a.cut()
        shared.database.flush()
        yield* shared.pass(5000)
        b.mend()
        yield* b.exchange
        const again = yield* machineOn(shared, "a", undefined, undefined, wordsFile)
        yield* b.exchange
        assert.deepStrictEqual([again.bans(), b.bans()], [[], []])
      }).pipe(quietly)
    )

    it.effect("where the machine's own file has it still", () =>
      Effect.gen(function* () {
        const shared = FleetStore.make()
        const wordsFile = wordsOf()
        const a = yield* machineOn(shared, "a", undefined, undefined, wordsFile)
        a.lift("203.0.113.7/32")
        yield* a.exchange
        yield* a.save
        a.cut()
        shared.database.flush()
        const again = yield* machineOn(shared, "a", (one) => one.ban(ofFile(shared)), undefined, wordsFile)
        yield* again.exchange
        assert.deepStrictEqual(again.bans(), [])
      }).pipe(quietly)
    )

    it.effect("where an older copy of the store has taken over, which knows it as a ban", () =>
      Effect.gen(function* () {
        const shared = FleetStore.make()
        const [a, b] = yield* Effect.forEach(["a", "b"], (name) => machineOn(shared, name))
        for (const network of ["203.0.113.7/32", "192.0.2.1/32"]) a!.ban(network)
        yield* a!.exchange
        const copy = shared.database.copy()
        yield* shared.pass(5000)
        b!.lift("203.0.113.7/32")
        // Anew, for longer.
        b!.ban("192.0.2.1/32", 7_200_000)
        a!.ban("198.51.100.1/32")
        for (const { exchange } of [a!, b!]) yield* exchange
        yield* shared.pass(5000)
        shared.database.restore(copy)
        for (const { exchange } of [a!, b!, a!, b!]) yield* exchange
        for (const { bans, decisions } of [a!, b!]) {
          assert.deepStrictEqual(bans().sort(), ["192.0.2.1/32", "198.51.100.1/32"])
          const [ban] = decisions.list(shared.now()).filter(({ reason }) => reason === "abuse")
          assert.isDefined(ban)
        }
        const c = yield* machineOn(shared, "c")
        const [longer] = c.decisions
          .list(shared.now())
          .filter(({ network }) => IpNetwork.format(network) === "192.0.2.1/32")
        assert.isAbove(longer!.until - shared.now(), 7_000_000)
      }).pipe(quietly)
    )
  })

  describe("a ban holds though an older one of its network was lifted", () => {
    it.effect("where all that knew it began anew, with their files, as did the store", () =>
      Effect.gen(function* () {
        const shared = FleetStore.make()
        const wordsFile = wordsOf()
        const a = yield* machineOn(shared, "a", undefined, undefined, wordsFile)
        const b = yield* machineOn(shared, "b")
        b.lift("203.0.113.7/32")
        yield* b.exchange
        yield* shared.pass(5000)
        b.cut()
        a.ban("203.0.113.7/32")
        yield* a.exchange
        yield* a.save
        a.cut()
        shared.database.flush()
        yield* shared.pass(5000)
        const again = yield* machineOn(shared, "a", (one) => one.ban(ofFile(shared)), undefined, wordsFile)
        b.mend()
        for (const { exchange } of [b, again, b]) yield* exchange
        assert.deepStrictEqual([again.bans(), b.bans()], [["203.0.113.7/32"], ["203.0.113.7/32"]])
      }).pipe(quietly)
    )

    it.effect("where its machine has begun without the store", () =>
      Effect.gen(function* () {
        const shared = FleetStore.make()
        const a = yield* machineOn(shared, "a")
        a.lift("203.0.113.7/32")
        yield* a.exchange
        yield* shared.pass(5000)
        const b = yield* machineOn(shared, "b", () => shared.stop())
        b.ban("203.0.113.7/32")
        yield* Effect.exit(b.exchange)
        shared.start()
        yield* shared.settle
        for (const { exchange } of [b, a]) yield* exchange
        assert.deepStrictEqual([a.bans(), b.bans()], [["203.0.113.7/32"], ["203.0.113.7/32"]])
      }).pipe(quietly)
    )
  })

  it.effect(
    "a lift of a wide network leaves a ban inside that was made since, also where it is told late",
    () =>
      Effect.gen(function* () {
        const shared = FleetStore.make()
        const [a, b, c] = yield* Effect.forEach(["a", "b", "c"], (name) => machineOn(shared, name))
        a!.ban("203.0.113.0/24")
        yield* a!.exchange
        b!.cut()
        yield* shared.pass(5000)
        b!.lift("203.0.113.0/24")
        yield* Effect.exit(b!.exchange)
        yield* shared.pass(5000)
        a!.ban("203.0.113.7/32")
        yield* a!.exchange
        yield* shared.pass(5000)
        b!.mend()
        for (const machine of [b!, a!, c!, b!]) yield* machine.exchange
        for (const { bans } of [a!, b!, c!]) assert.deepStrictEqual(bans(), ["203.0.113.7/32"])
      }).pipe(quietly)
  )

  it.effect("a ban ends at its time on machines whose clocks differ", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const [a, b] = yield* Effect.forEach(["a", "b"], (name) => machineOn(shared, name))
      a!.ban("203.0.113.0/24", 60_000)
      yield* a!.exchange
      yield* shared.pass(59_000)
      assert.lengthOf(b!.bans(), 1)
      yield* shared.pass(2000)
      assert.lengthOf(b!.bans(), 0)
      yield* b!.exchange
      const c = yield* machineOn(shared, "c")
      assert.lengthOf(c.bans(), 0)
    }).pipe(quietly)
  )

  it("whatever is banned, lifted, cut off, restarted and forgotten, all machines have the bans that were not lifted since", () =>
    holds(
      fc.asyncProperty(fc.array(act, { maxLength: 25 }), async (acts) => {
        const check = Effect.gen(function* () {
          const shared = FleetStore.make()
          const names = ["a", "b", "c"] as const
          const files = { a: wordsOf(), b: wordsOf(), c: wordsOf() }
          /** A machine that has these bans in its own file. */
          const begin = (name: keyof typeof files, bans: ReadonlyArray<Ban> = []) =>
            machineOn(
              shared,
              name,
              (decisions) => {
                for (const ban of bans) decisions.ban(ban)
              },
              undefined,
              files[name]
            )
          const machines = yield* Effect.forEach(names, (name) => begin(name))
          const banned = new Set<string>()
          let copy = shared.database.copy()
          for (const { what, who, network } of acts) {
            const machine = machines[who]!
            if (what === "ban") {
              machine.ban(network)
              banned.add(network)
            } else if (what === "lift") {
              machine.lift(network)
              banned.delete(network)
            } else if (what === "cut") machine.cut()
            else if (what === "mend") machine.mend()
            else if (what === "flush") shared.database.flush()
            else if (what === "copy") copy = shared.database.copy()
            else if (what === "restore") shared.database.restore(copy)
            if (what === "unheard") yield* machine.exchangeUnheard()
            else if (what === "restart") {
              yield* machine.save
              machine.cut()
              machines[who] = yield* begin(names[who]!, machine.decisions.list(shared.now()))
            } else yield* Effect.exit(machine.exchange)
            // What was said at nearly the same time has no order.
            yield* shared.pass(3000)
          }
          for (const machine of machines) machine.mend()
          yield* shared.settle
          for (let turn = 0; turn < 3; turn++) for (const { exchange } of machines) yield* exchange
          for (const { bans } of machines) assert.deepStrictEqual(bans().sort(), [...banned].sort())
          const another = yield* machineOn(shared, "d")
          assert.deepStrictEqual(another.bans().sort(), [...banned].sort())
        })
        await Effect.runPromise(Effect.scoped(quietly(check)))
      }),
      { numRuns: 60 }
    ))
})

const act = fc.record({
  what: fc.constantFrom(
    ...([
      "ban",
      "ban",
      "lift",
      "cut",
      "mend",
      "unheard",
      "restart",
      "flush",
      "copy",
      "restore",
      "wait"
    ] as const)
  ),
  who: fc.nat({ max: 2 }),
  network: fc.constantFrom("203.0.113.1/32", "203.0.113.2/32", "192.0.2.0/24")
})
