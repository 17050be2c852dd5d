/**
 * Upstreams that die and come back, as an operator sees them: with two workers, each of which finds out by itself.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Admin from "../support/admin.ts"
import * as Origin from "../support/origin.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import { directory } from "../support/temporary.ts"
import { until } from "../support/until.ts"
import * as Workers from "../support/workers.ts"

it.live("tells which upstreams are up", () =>
  Effect.gen(function* () {
    const path = yield* directory
    const target = yield* Tcp.target
    const ports = [yield* Origin.freePort, yield* Origin.freePort] as const
    const member = (index: 0 | 1) => Program.start(["--listen", `127.0.0.1:${ports[index]}`])
    const first = yield* member(0)
    yield* member(1)
    const socketPath = join(path, "admin.sock")
    const at = { socketPath, token: "0123456789-abcdefghij" }
    const config = join(path, "config.json")
    writeFileSync(
      config,
      JSON.stringify({
        ...{ listen: "127.0.0.1:0", workers: 2, admin: `unix:${socketPath}`, "admin-token": at.token },
        routes: [
          {
            name: "pool",
            members: [
              { name: "first", via: `socks5://127.0.0.1:${ports[0]}` },
              { name: "second", via: `socks5://127.0.0.1:${ports[1]}` }
            ],
            check: { target: `127.0.0.1:${target.port}`, every: "500ms" }
          }
        ],
        rules: { allow: true, route: "pool" }
      })
    )
    const program = yield* Workers.start(["--config", config])
    yield* program.logged({ message: "admin listens" })
    const pids = yield* program.pids
    const upstreams = Effect.map(Admin.ask(at, "/api/upstreams"), ({ json }) => json)
    const seen = (
      isSeen: (first: { healthy: boolean; downIn: ReadonlyArray<number>; detail: string }) => boolean
    ) =>
      Effect.gen(function* () {
        while (true) {
          const [found] = yield* upstreams
          if (isSeen(found)) return found
          yield* Effect.sleep(50)
        }
      })
    const events = yield* Admin.follow(at, "/api/events?tags=UpstreamChanged")
    const up = Effect.map(Admin.ask(at, "/metrics"), ({ text }) =>
      Array.from(
        text.matchAll(/^effect_socks_upstream_up\{route="pool",member="(\w+)"\} (\d)$/gm),
        ([, ...it]) => it
      )
    )

    assert.deepInclude(yield* seen(({ healthy }) => healthy), {
      ...{ route: "pool", name: "first", downIn: [], detail: "" }
    })
    yield* first.kill("SIGKILL")
    // A check that was under way is told that the connection was closed, and the next one that it is refused.
    const down = yield* seen(({ downIn, detail }) => downIn.length === 2 && detail.includes("refused"))
    assert.deepStrictEqual([...down.downIn].sort(), [...pids].sort())
    assert.deepInclude(down, { healthy: false, sessions: 0 })
    assert.isAtLeast(down.failures, 2)
    assert.isAtMost(Math.abs(Date.now() - down.since), 60_000)
    assert.deepStrictEqual((yield* up).sort(), [
      ["first", "0"],
      ["second", "1"]
    ])
    const { stdout } = yield* Program.run(["upstreams", "--admin", `unix:${socketPath}`], {
      env: { SOCKS_ADMIN_TOKEN: at.token }
    })
    assert.match(stdout, /^ROUTE +NAME +STATE .*\npool +first +down \(2 workers\) .*\npool +second +up /)

    yield* member(0)
    yield* seen(({ healthy }) => healthy)
    assert.deepStrictEqual((yield* up).sort(), [
      ["first", "1"],
      ["second", "1"]
    ])
    yield* until(() => (events.text().match(/"isUp":true/g) ?? []).length === 2)
    assert.lengthOf(events.text().match(/"isUp":false/g) ?? [], 2)
  })
)
