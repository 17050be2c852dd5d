/**
 * A server whose targets are behind proxies that others wrote: one route for each, and a target name for each route.
 */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWith } from "../support/clients.ts"
import * as Forwarders from "../support/forwarders.ts"
import { datagram, greeting, request } from "../support/messages.ts"
import * as Origin from "../support/origin.ts"
import * as Program from "../support/program.ts"
import { connect, target } from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"
import { associate, echo, open } from "../support/udp.ts"
import * as Upstreams from "../support/upstreams.ts"

const needed = [
  ...(["dante-server", "microsocks", "openssh-client", "openssh-server"] as const),
  ...(["squid", "tinyproxy"] as const)
]

describeWith(needed, () => {
  it.live("passes bytes both ways through each program, and passes on its errors", () =>
    Effect.gen(function* () {
      const [dante, microsocks, ssh, squid, tinyproxy] = yield* Effect.all(
        [Upstreams.dante, Upstreams.microsocks, Upstreams.ssh, Forwarders.squid, Forwarders.tinyproxy],
        { concurrency: "unbounded" }
      )
      const upstreams = {
        dante: `socks5://127.0.0.1:${dante}?pipelined=true`,
        dante4: `socks4://me@127.0.0.1:${dante}`,
        microsocks: `socks5://alice:secret@127.0.0.1:${microsocks}`,
        wrong: `socks5://alice:guess@127.0.0.1:${microsocks}`,
        ssh: `socks5://127.0.0.1:${ssh}`,
        ssh4: `socks4://127.0.0.1:${ssh}`,
        squid: `http://127.0.0.1:${squid}`,
        tinyproxy: `http://127.0.0.1:${tinyproxy}`
      }
      const names = Object.keys(upstreams)
      const config = JSON.stringify({
        listen: "127.0.0.1:0",
        "log-decisions": "none",
        routes: [
          ...Object.entries(upstreams).map(([name, via]) => ({ name, via })),
          // Through all that take CONNECT to any port.
          { name: "chain", via: [upstreams.tinyproxy, upstreams.microsocks, upstreams.dante, upstreams.ssh] }
        ],
        rules: [...names, "chain"].map((name) => ({ allow: true, to: `${name}.localhost`, route: name }))
      })
      const file = join(yield* Temporary.directory, "config.json")
      yield* Effect.promise(() => writeFile(file, config))
      const server = yield* Program.start(["--config", file])
      const closed = yield* Origin.freePort

      /** What a client is told, and what passes. */
      const through = Effect.fnUntraced(function* (name: string) {
        const { port, accept } = yield* target
        const client = yield* connect(server.port)
        yield* client.send([...greeting(0x00), ...request(`${name}.localhost`, port), ...Buffer.from("ping")])
        const code = (yield* client.receive(12))[3]
        if (code !== 0) return code
        const origin = yield* accept
        assert.strictEqual(Buffer.from(yield* origin.receive(4)).toString(), "ping", name)
        yield* origin.send("pong")
        yield* origin.end
        assert.strictEqual(Buffer.from(yield* client.rest).toString(), "pong", name)
        return code
      }, Effect.scoped)

      for (const name of [...names.filter((name) => name !== "wrong" && name !== "squid"), "chain"]) {
        assert.deepStrictEqual([name, yield* through(name)], [name, 0])
        yield* server.logged({ message: "session", route: name, outcome: "finished" })
      }
      // Debian's squid lets CONNECT go to port 443 only, unless it is told otherwise, as it is here.
      assert.strictEqual(yield* through("squid"), 0)

      // Datagrams go through those that relay them.
      const { port: relay, host } = yield* associate(server.port)
      const [datagrams, echoing] = [yield* open(), yield* echo()]
      yield* datagrams.send(datagram("dante.localhost", echoing.port, [1, 2, 3]), relay, host)
      assert.deepStrictEqual((yield* datagrams.receive).bytes, datagram("127.0.0.1", echoing.port, [1, 2, 3]))

      /** What a client is told of a port that nobody listens on. */
      const refused = Effect.fnUntraced(function* (name: string) {
        const client = yield* connect(server.port)
        yield* client.send([...greeting(0x00), ...request(`${name}.localhost`, closed)])
        return (yield* client.receive(12))[3]
      }, Effect.scoped)
      assert.deepStrictEqual([yield* refused("dante"), yield* refused("microsocks")], [5, 5])
      // The login that is wrong is no word on the target.
      assert.strictEqual(yield* refused("wrong"), 1)
      yield* server.logged({ outcome: "UpstreamLoginFailed" })
      assert.strictEqual(yield* refused("squid"), 1)
    })
  )
})
