/**
 * UDP ASSOCIATE and BIND of a server whose targets are behind another server, on real sockets.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as UpstreamUrl from "../../src/routes/UpstreamUrl.ts"
import type * as Config from "../../src/server/Config.ts"
import { RunningServer } from "../../src/server/RunningServer.ts"
import { datagram, greeting, reply, request } from "../support/messages.ts"
import { server } from "../support/servers.ts"
import * as Tcp from "../support/tcp.ts"
import { associate, echo, open } from "../support/udp.ts"

const utf8 = (text: string) => [...new TextEncoder().encode(text)]

/** The port of a server with these settings. */
const started = (values: Partial<Config.Values> = {}) =>
  Effect.map(
    Layer.build(Layer.fresh(server(values))),
    (services) => Context.get(services, RunningServer).addresses[0]!.port
  )

const via = (...urls: ReadonlyArray<string>) => ({
  upstream: urls.map((url) => Option.getOrThrow(UpstreamUrl.fromString(url)))
})

/** A UDP client, associated with a server. */
const associated = Effect.fnUntraced(function* (port: number) {
  const { code, host, port: to } = yield* associate(port)
  assert.strictEqual(code, 0)
  const client = yield* open()
  return {
    ask: (target: number, text: string, name = "127.0.0.1") =>
      Effect.andThen(client.send(datagram(name, target, utf8(text)), to, host), client.receive),
    client,
    to
  }
})

describe("datagrams through an upstream", () => {
  it.live("go to several targets and come back, as if there were no upstream", () =>
    Effect.gen(function* () {
      const upstream = yield* started()
      const front = yield* started(via(`socks5://127.0.0.1:${upstream}?pipelined=true`))
      const { ask } = yield* associated(front)
      const targets = [yield* echo(), yield* echo()]
      for (const { port } of [...targets, ...targets]) {
        const { bytes } = yield* ask(port, `hello ${port}`)
        assert.deepStrictEqual(bytes, datagram("127.0.0.1", port, utf8(`hello ${port}`)))
      }
      const { bytes } = yield* ask(targets[0]!.port, "by name", "localhost")
      assert.deepStrictEqual(bytes, datagram("127.0.0.1", targets[0]!.port, utf8("by name")))
    }).pipe(Effect.scoped)
  )

  it.live("never come from the targets themselves, nor go to them", () =>
    Effect.gen(function* () {
      const upstream = yield* started()
      const front = yield* started(via(`socks5://127.0.0.1:${upstream}`))
      const { ask, client, to } = yield* associated(front)
      const target = yield* open()
      yield* client.send(datagram("127.0.0.1", target.port, utf8("one")), to)
      const first = yield* target.receive
      // The sender is the upstream. The target answers it, and sends to the ports nearby, where the server in front is.
      yield* target.send(utf8("answer"), first.from.port)
      assert.deepStrictEqual(
        (yield* client.receive).bytes,
        datagram("127.0.0.1", target.port, utf8("answer"))
      )
      const echoing = yield* echo()
      assert.deepStrictEqual(
        (yield* ask(echoing.port, "two")).bytes,
        datagram("127.0.0.1", echoing.port, utf8("two"))
      )
    }).pipe(Effect.scoped)
  )

  it.live("go through a chain, and take none from its relays that another one has sent", () =>
    Effect.gen(function* () {
      const urls: Array<string> = []
      for (let i = 0; i < 3; i++) urls.push(`socks5://127.0.0.1:${yield* started()}`)
      const front = yield* started(via(...urls))
      const { ask, client, to } = yield* associated(front)
      const targets = [yield* echo(), yield* echo()]
      for (const { port } of [...targets, ...targets]) {
        const { bytes } = yield* ask(port, `hello ${port}`)
        assert.deepStrictEqual(bytes, datagram("127.0.0.1", port, utf8(`hello ${port}`)))
      }
      const target = yield* open()
      yield* client.send(datagram("127.0.0.1", target.port, utf8("one")), to)
      const { from } = yield* target.receive
      yield* (yield* open()).send(utf8("of a stranger"), from.port)
      yield* target.send(utf8("answer"), from.port)
      assert.deepStrictEqual(
        (yield* client.receive).bytes,
        datagram("127.0.0.1", target.port, utf8("answer"))
      )
    }).pipe(Effect.scoped)
  )

  it.live("through a chain come from the relay of the next upstream only", () =>
    Effect.gen(function* () {
      const upstream = yield* Tcp.target
      const url = `socks5://127.0.0.1:${upstream.port}`
      const front = yield* started(via(url, url))
      const { client, to } = yield* associated(front)
      const relay = yield* open()
      yield* client.send(datagram("192.0.2.80", 53, utf8("question")), to)
      /** Answers one of the two connections, in whichever order they come. */
      const answered = Effect.gen(function* () {
        const control = yield* upstream.accept
        yield* control.receive(3)
        yield* control.send([5, 0])
        const [, command] = yield* control.receive(10)
        if (command === 3)
          return yield* control.send(reply(0, [1, 127, 0, 0, 1, relay.port >> 8, relay.port & 255]))
        yield* control.send(reply(0, [1, 127, 0, 0, 1, 0, 0]))
        yield* control.receive(3)
        yield* control.send([5, 0])
        yield* control.receive(10)
        yield* control.send(reply(0, [1, 192, 0, 2, 7, 0, 99]))
      })
      yield* Effect.all([answered, answered], { concurrency: 2 })
      const { bytes, from } = yield* relay.receive
      const inner = datagram("192.0.2.80", 53, utf8("question"))
      assert.deepStrictEqual(bytes, datagram("192.0.2.7", 99, inner))
      const wrong = datagram("192.0.2.80", 53, utf8("wrong"))
      for (const bytes of [
        wrong,
        datagram("192.0.2.7", 98, wrong),
        datagram("192.0.2.8", 99, wrong),
        datagram("192.0.2.7", 99, utf8("wrong")),
        datagram("192.0.2.7", 99, datagram("192.0.2.81", 53, utf8("wrong"))),
        datagram("192.0.2.7", 99, datagram("192.0.2.7", 99, wrong))
      ]) {
        yield* relay.send(bytes, from.port)
      }
      const answer = datagram("192.0.2.80", 53, utf8("answer"))
      yield* relay.send(datagram("192.0.2.7", 99, answer), from.port)
      assert.deepStrictEqual((yield* client.receive).bytes, answer)
    }).pipe(Effect.scoped)
  )

  it.live("are refused where an upstream is of a kind that carries none", () =>
    Effect.gen(function* () {
      for (const urls of [
        ["http://127.0.0.1:9"],
        ["http://127.0.0.1:9", "socks5://127.0.0.1:9"],
        ["socks5+tls://127.0.0.1:9"]
      ]) {
        const front = yield* started(via(...urls))
        assert.strictEqual((yield* associate(front)).code, 7)
      }
    }).pipe(Effect.scoped)
  )

  it.live("leave no connection open to an upstream that refuses them, while the association lasts", () =>
    Effect.gen(function* () {
      const upstream = yield* Tcp.target
      const front = yield* started(via(`socks5://127.0.0.1:${upstream.port}`))
      const { client, to } = yield* associated(front)
      for (const port of [1, 2]) {
        yield* client.send(datagram("192.0.2.80", port, utf8("lost")), to)
        const control = yield* upstream.accept
        yield* control.receive(3)
        yield* control.send([5, 0])
        yield* control.receive(10)
        yield* control.send(reply(7))
        assert.strictEqual((yield* control.rest).length, 0)
      }
    }).pipe(Effect.scoped)
  )

  it.live("are not sent to a relay where no other machine has one", () =>
    Effect.gen(function* () {
      const upstream = yield* Tcp.target
      const front = yield* started(via(`socks5://127.0.0.1:${upstream.port}`))
      const { client, to } = yield* associated(front)
      for (const [port, relay] of [
        [1, [1, 224, 0, 0, 1]],
        [2, [1, 169, 254, 1, 1]],
        [3, [4, ...[255, 2], ...Array(13).fill(0), 1]],
        [4, [4, ...Array(10).fill(0), 255, 255, 169, 254, 1, 1]]
      ] as const) {
        yield* client.send(datagram("192.0.2.80", port, utf8("lost")), to)
        const control = yield* upstream.accept
        yield* control.receive(3)
        yield* control.send([5, 0])
        yield* control.receive(10)
        yield* control.send(reply(0, [...relay, 0, 9]))
        assert.strictEqual((yield* control.rest).length, 0)
      }
    }).pipe(Effect.scoped)
  )

  it.live("are dropped if the upstream fails, and pass when it works", () =>
    Effect.gen(function* () {
      const upstream = yield* started({ udp: false })
      const front = yield* started(via(`socks5://127.0.0.1:${upstream}`))
      const { client, to } = yield* associated(front)
      const target = yield* open()
      yield* client.send(datagram("127.0.0.1", target.port, utf8("lost")), to)
      const nothing = yield* Effect.timeoutOption(target.receive, "300 millis")
      assert.isTrue(Option.isNone(nothing))
    }).pipe(Effect.scoped)
  )
})

describe("BIND through an upstream", () => {
  it.live("waits for the connection at the upstream, and relays it", () =>
    Effect.gen(function* () {
      const upstream = yield* started({ bind: true })
      const front = yield* started({ bind: true, ...via(`socks5://127.0.0.1:${upstream}`) })
      const client = yield* Tcp.connect(front)
      yield* client.send([...greeting(0x00), ...request("127.0.0.1", 80, 0x02)])
      const first = yield* client.receive(2 + 10)
      assert.deepStrictEqual([...first.subarray(2, 10)], [5, 0, 0, 1, 127, 0, 0, 1])
      const target = yield* Tcp.connect(first[10]! * 256 + first[11]!)
      const second = yield* client.receive(10)
      assert.deepStrictEqual([...second.subarray(0, 8)], reply(0, [1, 127, 0, 0, 1, 0, 0]).slice(0, 8))
      yield* target.send("from the target")
      yield* target.end
      yield* client.send("from the client")
      yield* client.end
      assert.strictEqual(Buffer.from(yield* client.rest).toString(), "from the target")
      assert.strictEqual(Buffer.from(yield* target.rest).toString(), "from the client")
    }).pipe(Effect.scoped)
  )

  it.live("waits at the last upstream of a chain", () =>
    Effect.gen(function* () {
      const last = yield* started({ bind: true })
      const first = yield* started()
      const front = yield* started({
        bind: true,
        ...via(`socks5://127.0.0.1:${first}`, `socks5://127.0.0.1:${last}`)
      })
      const client = yield* Tcp.connect(front)
      yield* client.send([...greeting(0x00), ...request("127.0.0.1", 80, 0x02)])
      const listening = yield* client.receive(2 + 10)
      assert.strictEqual(listening[3], 0)
      const target = yield* Tcp.connect(listening[10]! * 256 + listening[11]!)
      assert.strictEqual((yield* client.receive(10))[1], 0)
      yield* target.send("from the target")
      yield* target.end
      yield* client.end
      assert.strictEqual(Buffer.from(yield* client.rest).toString(), "from the target")
    }).pipe(Effect.scoped)
  )

  it.live("is refused where the upstream has none", () =>
    Effect.gen(function* () {
      for (const url of [`socks5://127.0.0.1:${yield* started()}`, "http://127.0.0.1:9"]) {
        const front = yield* started({ bind: true, ...via(url) })
        const client = yield* Tcp.connect(front)
        yield* client.send([...greeting(0x00), ...request("127.0.0.1", 80, 0x02)])
        assert.strictEqual((yield* client.receive(12))[3], 7)
      }
    }).pipe(Effect.scoped)
  )
})
