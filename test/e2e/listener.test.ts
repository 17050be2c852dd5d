/**
 * Where the program listens, whom it lets in, and where that comes from.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { greeting, reply, request } from "../support/messages.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"

describe.concurrent("listening", () => {
  it.live("takes the port that the system chose, on every address asked for, and says so", () =>
    Effect.gen(function* () {
      const { addresses } = yield* Program.start(["--listen", "127.0.0.1:0", "--listen", "[::1]:0"])
      const [v4, v6] = addresses.map((address) => /^(.*):([1-9]\d*)$/.exec(address))
      assert.strictEqual(v4?.[1], "127.0.0.1")
      assert.strictEqual(v6?.[1], "[::1]")
      yield* Tcp.connect(Number(v4?.[2]), "127.0.0.1")
      yield* Tcp.connect(Number(v6?.[2]), "::1")
    })
  )

  it.live("says of a port that is taken that it is", () =>
    Effect.gen(function* () {
      const { address } = yield* Program.start()
      const { code, stdout, stderr } = yield* Program.run(["--listen", address])
      assert.strictEqual(code, 1)
      assert.strictEqual(stdout, "")
      assert.strictEqual(
        stderr,
        `cannot listen on ${address}: it is in use already, by another program or by another listener\n`
      )
    })
  )

  for (const at of ["0.0.0.0:0", "[::]:0", "proxy.example:0"]) {
    it.live(`refuses ${at} without a password`, () =>
      Effect.gen(function* () {
        // One that others cannot reach does not help.
        const { code, stdout, stderr } = yield* Program.run(["--listen", "127.0.0.1:0", "--listen", at])
        assert.strictEqual(code, 2)
        assert.strictEqual(stdout, "")
        assert.match(stderr, /^refusing to listen on \S+: others can reach it and no password is set\. .*\n$/)
        assert.include(stderr, "--user NAME:PASSWORD (or SOCKS_USER)")
        assert.include(stderr, "--open")
      })
    )
  }

  for (const [how, flags] of Object.entries({
    "--user": ["--user", "alice:secret"],
    "--trust": ["--trust", "10.0.0.0/8"],
    "--open": ["--open"]
  })) {
    it.live(`listens beyond loopback with ${how}`, () =>
      Effect.gen(function* () {
        const server = yield* Program.start(["--listen", "0.0.0.0:0", ...flags])
        yield* server.logged({ message: "listening", asksPassword: how === "--user" })
      })
    )
  }

  it.live("listens on every form of loopback without a password", () =>
    Effect.gen(function* () {
      const forms = ["localhost:0", "127.1.2.3:0", "[::1]:0", "[::ffff:127.0.0.1]:0"]
      const { addresses } = yield* Program.start(forms.flatMap((at) => ["--listen", at]))
      assert.lengthOf(addresses, forms.length)
    })
  )
})

layer(Program.layer(), { excludeTestServices: true })("the server as its own target", (it) => {
  for (const [host, code] of [
    ["127.0.0.1", 0x02],
    // localhost has an address more, on which nothing listens.
    ["localhost", 0x05],
    ["0.0.0.0", 0x01]
  ] as const) {
    it.effect(`is refused, asked for as ${host}`, () =>
      Effect.gen(function* () {
        const { port } = yield* Program.Program
        const client = yield* Tcp.connect(port)
        yield* client.send([...greeting(0x00), ...request(host, port)])
        const answers = [...(yield* client.rest)]
        assert.deepStrictEqual(answers.slice(2), reply(code))
      })
    )
  }
})

describe.concurrent("a listener with settings of its own", () => {
  it.live("speaks its protocols, while the others speak theirs", () =>
    Effect.gen(function* () {
      const own = "127.0.0.1:0?protocols=socks4&udp=false"
      const { addresses } = yield* Program.start(["--listen", own, "--listen", "127.0.0.1:0"])
      assert.match(addresses[0]!, /\?protocols=socks4&udp=false$/)
      const answer = Effect.fnUntraced(function* (
        address: string,
        sent: ReadonlyArray<number>,
        count: number
      ) {
        const client = yield* Tcp.connect(Number(/:(\d+)(\?|$)/.exec(address)?.[1]))
        yield* client.send(sent)
        return [...(yield* client.receive(count))]
      })
      const associate = [...greeting(0x00), ...request("0.0.0.0", 0, 0x03)]
      assert.deepStrictEqual(yield* answer(addresses[0]!, greeting(0x00), 2), [])
      assert.strictEqual((yield* answer(addresses[0]!, [0x04, 0x01, 0, 1, 127, 0, 0, 1, 0], 8))[1], 0x5b)
      assert.strictEqual((yield* answer(addresses[1]!, associate, 12))[3], 0x00)
    })
  )

  it.live("relays no datagrams where it is told not to", () =>
    Effect.gen(function* () {
      const { addresses } = yield* Program.start(["--listen", "127.0.0.1:0?udp=false"])
      const client = yield* Tcp.connect(Number(/:(\d+)\?/.exec(addresses[0]!)?.[1]))
      yield* client.send([...greeting(0x00), ...request("0.0.0.0", 0, 0x03)])
      assert.deepStrictEqual([...(yield* client.rest)].slice(2), reply(0x07))
    })
  )
})

describe.concurrent("variables", () => {
  it.live("hold settings, lists among them", () =>
    Effect.gen(function* () {
      const { addresses, port } = yield* Program.start([], {
        env: { SOCKS_LISTEN: "127.0.0.1:0, [::1]:0", SOCKS_USER: "alice:secret\nbob:a,b c" }
      })
      assert.strictEqual(addresses.length, 2)
      assert.deepStrictEqual(yield* Tcp.logIn(port, "alice", "secret"), [0x01, 0x00])
      assert.deepStrictEqual(yield* Tcp.logIn(port, "bob", "a,b c"), [0x01, 0x00])
      assert.deepStrictEqual(yield* Tcp.logIn(port, "bob", "secret"), [0x01, 0x01])
    })
  )

  it.live("are not even judged where there is a flag", () =>
    Effect.gen(function* () {
      const { port } = yield* Program.start(["--user", "carol:other", "--max-sessions", "5"], {
        env: { SOCKS_USER: "alice:secret", SOCKS_MAX_SESSIONS: "many" }
      })
      assert.deepStrictEqual(yield* Tcp.logIn(port, "carol", "other"), [0x01, 0x00])
      assert.deepStrictEqual(yield* Tcp.logIn(port, "alice", "secret"), [0x01, 0x01])
    })
  )
})
