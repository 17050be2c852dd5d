/**
 * Three servers with two workers each, and one Redis: a number of sessions holds for all of them together, also while
 * servers and the store are killed, stand still, and come back.
 */
import { writeFileSync } from "node:fs"
import type { Socket } from "node:net"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Peer } from "../../src/testing/index.ts"
import { describeWith } from "../support/clients.ts"
import { request } from "../support/messages.ts"
import * as Program from "../support/program.ts"
import * as Redis from "../support/redis.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"

const users = `
users:
  - name: alice
    password: secret
    limits: { sessions: 50 }
`

/** Asks for a session: the client's end, and the reply. */
const ask = Effect.fnUntraced(function* (
  port: number,
  target: number
): Effect.fn.Return<{ readonly client: Peer; readonly code: number }, string, Scope.Scope> {
  const client = yield* Tcp.connect(port)
  yield* Tcp.authenticate(client, "alice", "secret")
  yield* client.send(request("127.0.0.1", target))
  return { client, code: (yield* client.receive(10))[1]! }
})

/** Ends sessions, and waits until the servers know it. */
const close = (clients: ReadonlyArray<Peer>) =>
  Effect.andThen(
    Effect.sync(() => {
      for (const { duplex } of clients) (duplex as Socket).resetAndDestroy()
    }),
    Effect.sleep("300 millis")
  )

const lost = { message: "this machine has lost its fleet: its leases have ended" }
const found = { message: "this machine is in its fleet again" }

describeWith(["redis-server"], () => {
  it.live("limits hold for all servers of a fleet, whatever fails", () =>
    Effect.gen(function* () {
      const redis = yield* Redis.make({ password: "s3cr3t" })
      const target = yield* Tcp.target
      const config = join(yield* Temporary.directory, "fleet.yaml")
      writeFileSync(
        config,
        `listen: 127.0.0.1:0\nworkers: 2\nfleet: ${redis.url}\nfleet-lease: 2s\nallow-target: 127.0.0.1\n${users}`
      )
      const servers = yield* Effect.replicateEffect(Program.start(["--config", config]), 3, {
        concurrency: "unbounded"
      })
      const [first, second, third] = servers as [Program.Program, Program.Program, Program.Program]

      /** Asks each of these servers for so many sessions at once, and returns those that began. */
      const begin = (on: ReadonlyArray<Program.Program>, count: number) =>
        Effect.forEach(
          on.flatMap(({ port }) => new Array<number>(count).fill(port)),
          (port) => ask(port, target.port),
          { concurrency: 60 }
        ).pipe(Effect.map((asked) => asked.filter(({ code }) => code === 0).map(({ client }) => client)))

      /** Asks until so many have begun, and no more can. */
      const gather = Effect.fnUntraced(function* (on: ReadonlyArray<Program.Program>, count: number) {
        const found: Array<Peer> = []
        while (found.length < count) found.push(...(yield* begin(on, count)))
        assert.lengthOf([...found, ...(yield* begin(on, 5))], count)
        return found
      })

      const open = yield* begin(servers, 30)
      assert.lengthOf(open, 50)
      // What ends at one server is free for the others.
      yield* close(open)
      const again = yield* begin([second], 60)
      assert.lengthOf(again, 50)
      yield* close(again.slice(0, 20))
      const some = yield* begin([third], 30)
      assert.lengthOf(some, 20)

      // A server that is killed: its slots are free when its leases have ended.
      process.kill(-second.pid!, "SIGKILL")
      yield* second.within("5 seconds")
      const more = yield* gather([first, third], 30)

      // A server that stands still, too; and it begins nothing with leases that have ended.
      yield* close([...some, ...more])
      const own = yield* begin([third], 5)
      process.kill(-third.pid!, "SIGSTOP")
      const rest = yield* gather([first], 50)
      process.kill(-third.pid!, "SIGCONT")
      assert.lengthOf(yield* begin([third], 20), 0)
      yield* third.logged(found)
      yield* close([...own, ...rest])

      // A store that was emptied leases nothing until it has been told what is leased.
      const held = [...(yield* begin([first], 10)), ...(yield* begin([third], 20))]
      assert.lengthOf(held, 30)
      yield* redis.command("FLUSHALL")
      const others = yield* gather([first, third], 20)
      yield* close([...held, ...others])

      // Without a store each has its share, by the number of machines last seen; and refuses to start.
      yield* redis.kill
      yield* first.logged(lost)
      yield* third.logged(lost, 2)
      const alone = yield* begin([first], 60)
      assert.lengthOf(alone, 25)
      const refused = yield* Program.run(["--config", config])
      assert.strictEqual(refused.code, 1)
      assert.match(refused.stderr, /^cannot use the fleet's store redis\+unix:.*: .*\n$/)
      yield* redis.start
      yield* first.logged(found)
      yield* third.logged(found, 2)
      yield* gather([first, third], 25)
      yield* close(alone)
      assert.lengthOf(yield* begin([third], 40), 25)

      for (const text of [first.stdout(), third.stdout(), refused.stderr]) assert.notInclude(text, "s3cr3t")
    }).pipe(Effect.scoped)
  )
})
