/**
 * UDP ASSOCIATE over real sockets: whose datagrams pass, and where to.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Host from "effect/net/Host"
import { type Decision, Policy } from "../../src/index.ts"
import { datagram } from "../support/messages.ts"
import { hasIPv6, proxy, server, serverOf } from "../support/servers.ts"
import { type Associated, associate, echo, open, type UdpPeer } from "../support/udp.ts"

const text = (bytes: ReadonlyArray<number>) => new TextDecoder().decode(Uint8Array.from(bytes))
const utf8 = (text: string) => new TextEncoder().encode(text)

/** Sends a text to a target through an association, and returns what comes back. */
const ask = Effect.fnUntraced(function* (
  client: UdpPeer,
  { host, port }: Associated,
  target: { readonly host?: string | ReadonlyArray<number>; readonly port: number },
  data: string
) {
  yield* client.send(datagram(target.host ?? "127.0.0.1", target.port, utf8(data)), port, host)
  return yield* client.receive
})

describe("UDP ASSOCIATE", () => {
  it.live(
    "relays datagrams both ways, from the address of the reply, with the target's address before them",
    () =>
      Effect.gen(function* () {
        const association = yield* associate(yield* proxy())
        assert.strictEqual(association.code, 0x00)
        assert.strictEqual(association.host, "127.0.0.1")
        const [client, target] = [yield* open(), yield* echo()]
        const { bytes, from } = yield* ask(client, association, target, "hello")
        assert.deepStrictEqual(bytes, datagram("127.0.0.1", target.port, utf8("hello")))
        assert.strictEqual(from.port, association.port)
        assert.strictEqual(from.address, "127.0.0.1")
      }).pipe(Effect.provide(server()))
  )

  it.live("resolves names, and replies with the resolved address", () =>
    Effect.gen(function* () {
      const association = yield* associate(yield* proxy())
      const [client, target] = [yield* open(), yield* echo()]
      const { bytes } = yield* ask(client, association, { host: "localhost", port: target.port }, "hello")
      assert.deepStrictEqual(bytes, datagram("127.0.0.1", target.port, utf8("hello")))
    }).pipe(Effect.provide(server()))
  )

  it.live("relays empty datagrams, and the largest possible", () =>
    Effect.gen(function* () {
      const association = yield* associate(yield* proxy())
      const [client, target] = [yield* open(), yield* echo()]
      assert.lengthOf((yield* ask(client, association, target, "")).bytes, 10)
      const { bytes } = yield* ask(client, association, target, "x".repeat(65_507 - 10))
      assert.lengthOf(bytes, 65_507)
      // An answer that there is no room for with a header before it.
      const source = (yield* target.receive).from.port
      yield* target.send(new Uint8Array(65_507), source)
      assert.strictEqual(
        text((yield* ask(client, association, target, "still there")).bytes.slice(10)),
        "still there"
      )
    }).pipe(Effect.provide(server()))
  )

  it.live("drops what a client sends beyond its rate", () =>
    Effect.gen(function* () {
      const association = yield* associate(yield* proxy())
      const [client, target] = [yield* open(), yield* echo()]
      const { host, port } = association
      for (let i = 0; i < 50; i++) {
        yield* client.send(datagram("127.0.0.1", target.port, utf8(`${i}`)), port, host)
      }
      let answers = 0
      while (
        yield* Effect.match(Effect.timeout(client.receive, "1500 millis"), {
          onSuccess: () => true,
          onFailure: () => false
        })
      ) {
        answers++
      }
      // All 50 if there were no rate. A machine that takes four seconds to send them lets 25 pass.
      assert.isAtLeast(answers, 1)
      assert.isAtMost(answers, 25)
    }).pipe(Effect.provide(server({ udpRate: 5 })))
  )

  it.live.runIf(hasIPv6)("serves IPv6 clients, and both families of targets to both", () =>
    Effect.gen(function* () {
      const loopback = [...new Array(15).fill(0), 1]
      const targets = [yield* echo("127.0.0.1"), yield* echo("::1")] as const
      for (const [position, host] of ["127.0.0.1", "::1"].entries()) {
        const association = yield* associate(yield* proxy(position), { host })
        const client = yield* open(host)
        const four = yield* ask(client, association, targets[0], "four")
        assert.deepStrictEqual(four.bytes, datagram("127.0.0.1", targets[0].port, utf8("four")))
        const six = yield* ask(client, association, { host: loopback, port: targets[1].port }, "six")
        assert.deepStrictEqual(six.bytes, datagram(loopback, targets[1].port, utf8("six")))
      }
    }).pipe(Effect.provide(server()))
  )

  it.live.runIf(hasIPv6)("knows an IPv4 client on a listener of both families", () =>
    Effect.gen(function* () {
      const association = yield* associate(yield* proxy(), { declared: [new Array(16).fill(0), 0] })
      assert.strictEqual(association.host, "127.0.0.1")
      const [client, target] = [yield* open(), yield* echo()]
      assert.strictEqual(text((yield* ask(client, association, target, "hello")).bytes.slice(10)), "hello")
    }).pipe(
      Effect.provide(
        server({
          listen: [Host.hostPortUnsafe(Host.hostFromStringUnsafe("::"), 0)],
          open: true,
          privateTargets: "allow"
        })
      )
    )
  )

  it.live(
    "accepts only datagrams from the address of the control connection, before the first datagram and after it",
    () =>
      Effect.gen(function* () {
        const association = yield* associate(yield* proxy())
        const [client, target] = [yield* open(), yield* open()]
        const [stranger, neighbour] = [yield* open("127.0.0.2"), yield* open()]
        const send = (from: UdpPeer, data: string) =>
          from.send(datagram("127.0.0.1", target.port, utf8(data)), association.port, association.host)

        yield* send(stranger, "hijack")
        yield* send(client, "first")
        assert.strictEqual(text((yield* target.receive).bytes), "first")
        yield* send(stranger, "another address")
        yield* send(neighbour, "another port")
        yield* send(client, "second")
        assert.strictEqual(text((yield* target.receive).bytes), "second")
      }).pipe(Effect.provide(server()))
  )

  it.live("is not claimed by a malformed datagram", () =>
    Effect.gen(function* () {
      const association = yield* associate(yield* proxy())
      const [client, neighbour, target] = [yield* open(), yield* open(), yield* echo()]
      yield* neighbour.send([0, 0, 0], association.port, association.host)
      assert.strictEqual(text((yield* ask(client, association, target, "hello")).bytes.slice(10)), "hello")
    }).pipe(Effect.provide(server()))
  )

  it.live("accepts only the declared port, if the address is the client's", () =>
    Effect.gen(function* () {
      const [client, neighbour, target] = [yield* open(), yield* open(), yield* open()]
      const send = (from: UdpPeer, { host, port }: Associated, data: string) =>
        from.send(datagram("127.0.0.1", target.port, utf8(data)), port, host)

      const mine = yield* associate(yield* proxy(), { declared: ["127.0.0.1", client.port] })
      yield* send(neighbour, mine, "wrong port")
      yield* send(client, mine, "right port")
      assert.strictEqual(text((yield* target.receive).bytes), "right port")

      const behindNat = yield* associate(yield* proxy(), { declared: ["192.168.1.2", client.port] })
      yield* send(neighbour, behindNat, "first come")
      assert.strictEqual(text((yield* target.receive).bytes), "first come")
    }).pipe(Effect.provide(server()))
  )

  it.live("takes a name, valid or not, as no declaration", () =>
    Effect.gen(function* () {
      const target = yield* echo()
      for (const name of ["client.example", "127.1", "", "\0"]) {
        const association = yield* associate(yield* proxy(), { declared: [name, 4000] })
        assert.strictEqual(association.code, 0x00)
        const client = yield* open()
        assert.strictEqual(text((yield* ask(client, association, target, "hello")).bytes.slice(10)), "hello")
      }
    }).pipe(Effect.provide(server()))
  )

  const answering = Effect.gen(function* () {
    const association = yield* associate(yield* proxy())
    const [client, target, stranger] = [yield* open(), yield* open(), yield* open()]
    yield* client.send(datagram("127.0.0.1", target.port, utf8("hello")), association.port, association.host)
    const outside = (yield* target.receive).from.port
    yield* stranger.send(utf8("unasked"), outside)
    yield* target.send(utf8("asked"), outside)
    return { stranger, target, client }
  })

  it.live("relays answers only from targets that got a datagram", () =>
    Effect.gen(function* () {
      const { client, target } = yield* answering
      assert.deepStrictEqual((yield* client.receive).bytes, datagram("127.0.0.1", target.port, utf8("asked")))
    }).pipe(Effect.provide(server()))
  )

  it.live("relays datagrams from any sender with --udp-full-cone", () =>
    Effect.gen(function* () {
      const { client, stranger } = yield* answering
      assert.deepStrictEqual(
        (yield* client.receive).bytes,
        datagram("127.0.0.1", stranger.port, utf8("unasked"))
      )
    }).pipe(Effect.provide(server({ udpFullCone: true })))
  )

  it.live("uses one port towards all targets of a family", () =>
    Effect.gen(function* () {
      const association = yield* associate(yield* proxy())
      const client = yield* open()
      const sources = yield* Effect.forEach(Array.from({ length: 20 }), () =>
        Effect.gen(function* () {
          const target = yield* open()
          yield* client.send(datagram("127.0.0.1", target.port, []), association.port, association.host)
          return (yield* target.receive).from.port
        })
      )
      assert.lengthOf([...new Set(sources)], 1)
    }).pipe(Effect.provide(server()))
  )

  const fragments = Effect.gen(function* () {
    const association = yield* associate(yield* proxy())
    const [client, target] = [yield* open(), yield* open()]
    for (const [data, fragment] of [
      ["one ", 1],
      ["two ", 2],
      ["three", 0x83],
      ["whole", 0]
    ] as const) {
      const message = datagram("127.0.0.1", target.port, utf8(data), fragment)
      yield* client.send(message, association.port, association.host)
    }
    return text((yield* target.receive).bytes)
  })

  it.live("drops fragments", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* fragments, "whole")
    }).pipe(Effect.provide(server()))
  )

  it.live("reassembles fragments with --udp-fragments", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* fragments, "one two three")
    }).pipe(Effect.provide(server({ udpFragments: true })))
  )

  const allowed: Decision = { verdict: "allow", rule: "all" }

  it.live("judges each destination, and not each datagram", () => {
    const asked: Array<string> = []
    const policy = Layer.succeed(Policy, {
      judge: ({ target, client, identity }, address) => {
        if (target === undefined || client === undefined) return Effect.succeed(allowed)
        asked.push(
          [
            identity.user,
            Host.formatHost(client),
            Host.formatHost(target.host),
            address && Host.formatHost(address)
          ].join(" ")
        )
        return Effect.succeed(target.port === 53 ? { verdict: "deny", rule: "no DNS" } : allowed)
      }
    })
    return Effect.gen(function* () {
      const association = yield* associate(yield* proxy())
      const [client, target] = [yield* open(), yield* echo()]
      for (let i = 0; i < 3; i++) {
        yield* client.send(datagram("127.0.0.1", 53, utf8("hello")), association.port, association.host)
        yield* ask(client, association, target, "hello")
      }
      yield* ask(client, association, { host: "localhost", port: target.port }, "hello")
      assert.deepStrictEqual(asked, [
        " 127.0.0.1 127.0.0.1 ",
        " 127.0.0.1 127.0.0.1 ",
        " 127.0.0.1 127.0.0.1 127.0.0.1",
        " 127.0.0.1 localhost ",
        " 127.0.0.1 localhost 127.0.0.1",
        " 127.0.0.1 localhost ::1"
      ])
    }).pipe(Effect.provide(serverOf({ policy })))
  })
})
