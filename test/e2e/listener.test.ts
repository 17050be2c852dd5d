/**
 * Where the program listens, whom it lets in, and where that comes from.
 *
 * @module-tag transport
 */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { greeting, reply, request } from "../support/messages.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"

layer(Program.layer(["--listen", "127.0.0.1:0", "--listen", "[::1]:0"]), { excludeTestServices: true })(
  "a server on two addresses",
  (it) => {
    it.effect("listens on a port that the system chose, on each given address, and logs the port", () =>
      Effect.gen(function* () {
        const { addresses } = yield* Program.Program
        const [v4, v6] = addresses.map((address) => /^(.*):([1-9]\d*)$/.exec(address))
        assert.strictEqual(v4?.[1], "127.0.0.1")
        assert.strictEqual(v6?.[1], "[::1]")
        yield* Tcp.connect(Number(v4?.[2]), "127.0.0.1")
        yield* Tcp.connect(Number(v6?.[2]), "::1")
      })
    )

    it.effect("does not share its port with another server, which reports that the port is in use", () =>
      Effect.gen(function* () {
        const { address } = yield* Program.Program
        const { code, stdout, stderr } = yield* Program.run(["--listen", address])
        assert.strictEqual(code, 1)
        assert.strictEqual(stdout, "")
        assert.strictEqual(
          stderr,
          `cannot listen on ${address}: it is in use already, by another program or by another listener\n`
        )
      })
    )

    for (const [host, code] of [
      ["127.0.0.1", 0x02],
      // localhost has an address more, on which nothing listens.
      ["localhost", 0x05],
      ["0.0.0.0", 0x01]
    ] as const) {
      it.effect(`is not a target of its own clients, as ${host}`, () =>
        Effect.gen(function* () {
          const { port } = yield* Program.Program
          const client = yield* Tcp.connect(port)
          yield* client.send([...greeting(0x00), ...request(host, port)])
          const answers = [...(yield* client.rest)]
          assert.deepStrictEqual(answers.slice(2), reply(code))
        })
      )
    }
  }
)

describe.concurrent("listening", () => {
  // Other addresses: `server/OpenProxyCheck.test.ts`.
  it.live("refuses [::]:0 without a password", () =>
    Effect.gen(function* () {
      // One that others cannot reach does not help.
      const { code, stdout, stderr } = yield* Program.run(["--listen", "127.0.0.1:0", "--listen", "[::]:0"])
      assert.strictEqual(code, 2)
      assert.strictEqual(stdout, "")
      assert.match(stderr, /^refusing to listen on \S+: others can reach it and no password is set\. .*\n$/)
      assert.include(stderr, "--user NAME:PASSWORD (or SOCKS_USER)")
      assert.include(stderr, "--open")
    })
  )

  // With users: below. With --open: `log.test.ts`.
  it.live("listens beyond loopback with --trust", () =>
    Effect.gen(function* () {
      const server = yield* Program.start(["--listen", "0.0.0.0:0", "--trust", "10.0.0.0/8"])
      yield* server.logged({ message: "listening", asksPassword: false })
    })
  )

  it.live("needs no password on any form of loopback, and has options for each listener", () =>
    Effect.gen(function* () {
      const forms = ["localhost:0", "127.1.2.3:0", "[::1]:0", "[::ffff:127.0.0.1]:0"]
      const own = ["127.0.0.1:0?protocols=socks4&udp=false", "127.0.0.1:0?udp=false", "127.0.0.1:0"]
      const { addresses } = yield* Program.start([...own, ...forms].flatMap((at) => ["--listen", at]))
      assert.lengthOf(addresses, own.length + forms.length)
      assert.match(addresses[0]!, /\?protocols=socks4&udp=false$/)
      const answer = Effect.fnUntraced(function* (index: number, sent: ReadonlyArray<number>, count: number) {
        const client = yield* Tcp.connect(Number(/:(\d+)(\?|$)/.exec(addresses[index]!)?.[1]))
        yield* client.send(sent)
        return [...(yield* client.receive(count))]
      })
      const associate = [...greeting(0x00), ...request("0.0.0.0", 0, 0x03)]
      assert.deepStrictEqual(yield* answer(0, greeting(0x00), 2), [])
      assert.strictEqual((yield* answer(0, [0x04, 0x01, 0, 1, 127, 0, 0, 1, 0], 8))[1], 0x5b)
      assert.deepStrictEqual((yield* answer(1, associate, 12)).slice(2), reply(0x07))
      assert.strictEqual((yield* answer(2, associate, 12))[3], 0x00)
    })
  )
})

describe.concurrent("variables", () => {
  it.live("hold settings, lists among them", () =>
    Effect.gen(function* () {
      const { addresses, port, logged } = yield* Program.start([], {
        env: { SOCKS_LISTEN: "0.0.0.0:0, [::1]:0", SOCKS_USER: "alice:secret\nbob:a,b c" }
      })
      assert.strictEqual(addresses.length, 2)
      assert.include(yield* logged({ message: "listening" }), { asksPassword: true })
      assert.deepStrictEqual(yield* Tcp.logIn(port, "alice", "secret"), [0x01, 0x00])
      assert.deepStrictEqual(yield* Tcp.logIn(port, "bob", "a,b c"), [0x01, 0x00])
      assert.deepStrictEqual(yield* Tcp.logIn(port, "bob", "secret"), [0x01, 0x01])
    })
  )

  it.live("are not checked if the flag is given", () =>
    Effect.gen(function* () {
      const { port } = yield* Program.start(["--user", "carol:other", "--max-sessions", "5"], {
        env: { SOCKS_USER: "alice:secret", SOCKS_MAX_SESSIONS: "many" }
      })
      assert.deepStrictEqual(yield* Tcp.logIn(port, "carol", "other"), [0x01, 0x00])
      assert.deepStrictEqual(yield* Tcp.logIn(port, "alice", "secret"), [0x01, 0x01])
    })
  )
})
