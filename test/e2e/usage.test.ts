/**
 * Usage of a server that is killed: all that was there a second before is kept, whatever it came by.
 */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Http from "../support/http.ts"
import { datagram, greeting, request } from "../support/messages.ts"
import * as Origin from "../support/origin.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"
import * as Udp from "../support/udp.ts"
import * as Workers from "../support/workers.ts"

/** What the command prints. */
const report = Effect.fnUntraced(function* (...flags: ReadonlyArray<string>) {
  const { code, stdout, stderr } = yield* Program.run(["usage", "--json", ...flags])
  assert.deepStrictEqual([code, stderr], [0, ""])
  return JSON.parse(stdout) as {
    readonly usage: ReadonlyArray<Readonly<Record<string, unknown>>>
    readonly total: { readonly sent: number; readonly received: number; readonly seconds: number }
  }
})

describe("usage", () => {
  it.live("of tunnels, BIND, datagrams and requests is kept when the server is killed", () =>
    Effect.gen(function* () {
      const stateDir = yield* Temporary.directory
      const flags = ["--state-dir", stateDir]
      // Clients without a password are on this machine.
      const settings = [...flags, "--user", "alice:secret", "--trust", "127.0.0.1", "--bind"]
      const server = yield* Program.start(settings)
      const target = yield* Tcp.target

      const tunnel = yield* Tcp.sessionOf("alice", server.port, target)
      yield* tunnel.client.send(new Uint8Array(6000))
      yield* tunnel.origin.receive(6000)
      yield* tunnel.origin.send(new Uint8Array(500))
      yield* tunnel.client.receive(500)

      const origin = yield* Origin.http()
      const client = yield* Tcp.connect(server.port)
      const password = Buffer.from("alice:secret").toString("base64")
      const head = [
        `GET http://127.0.0.1:${origin.port}/ HTTP/1.1`,
        "host: x",
        `proxy-authorization: Basic ${password}`
      ]
      yield* client.send(Http.message(head))
      yield* Http.receive(client)
      const { sent: asked, received: answered } = yield* server.until(() => {
        const line = server.lines().find(({ command }) => command === "FORWARD")
        return line as { readonly sent: number; readonly received: number } | undefined
      })

      const echo = yield* Udp.echo()
      const association = yield* Udp.associate(server.port)
      const peer = yield* Udp.open()
      yield* peer.send(datagram("127.0.0.1", echo.port, new Uint8Array(70)), association.port)
      yield* peer.receive

      const binding = yield* Tcp.connect(server.port)
      yield* binding.send([...greeting(0x00), ...request("127.0.0.1", 0, 0x02)])
      const bound = (yield* binding.receive(2 + 10)).slice(-2)
      const caller = yield* Tcp.connect(bound[0]! * 256 + bound[1]!)
      yield* binding.receive(10)
      yield* caller.send(new Uint8Array(9))
      yield* binding.receive(9)

      // What is recorded within a second.
      yield* Effect.sleep("1 second")
      yield* server.kill("SIGKILL")
      yield* server.within("5 seconds")
      const { usage } = yield* report(...flags)
      const [first, second] = usage
      assert.deepInclude(first, { user: "alice", sent: 6000 + asked, received: 500 + answered, sessions: 2 })
      assert.deepInclude(second, { user: null, sent: 70, received: 79, sessions: 2 })
      assert.isAtLeast(Number(first!.seconds), 0.3)

      // And counts on, and over a stop.
      const again = yield* Program.start(settings)
      const more = yield* Tcp.sessionOf("alice", again.port, target)
      yield* more.client.send(new Uint8Array(1000))
      yield* more.origin.receive(1000)
      yield* Effect.forkScoped(again.stop)
      yield* again.logged({ message: "draining" })
      yield* more.client.end
      yield* more.origin.end
      yield* again.within("10 seconds")
      const alice = yield* report(...flags, "--user", "alice")
      assert.strictEqual(alice.total.sent, 7000 + asked)
    })
  )

  it.live("of several workers is kept when all of them are killed", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "usage.db")
      const flags = ["--usage-store", path]
      const server = yield* Workers.start([...flags, "--user", "alice:secret"])
      const target = yield* Tcp.target
      const pids = yield* server.pids
      const sessions = yield* Workers.spread(
        pids,
        Effect.gen(function* () {
          const { client, origin } = yield* Tcp.sessionOf("alice", server.port, target)
          yield* client.send(new Uint8Array(1000))
          yield* origin.receive(1000)
          return { client, origin }
        })
      )
      yield* Effect.sleep("1 second")
      for (const pid of [server.pid!, ...pids]) process.kill(pid, "SIGKILL")
      yield* server.within("5 seconds")
      const { usage } = yield* report(...flags)
      assert.deepInclude(usage[0], {
        user: "alice",
        sent: 1000 * sessions.length,
        sessions: sessions.length
      })
    })
  )
})
