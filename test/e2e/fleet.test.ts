/**
 * Three servers with two workers each, and one Redis: limits hold for all of them together, also while servers and the
 * store are killed, stand still, and come back.
 */
import type { Socket } from "node:net"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Peer } from "../../src/testing/index.ts"
import { describeWith } from "../support/clients.ts"
import { request } from "../support/messages.ts"
import * as Program from "../support/program.ts"
import { measured, pour } from "../support/rates.ts"
import * as Redis from "../support/redis.ts"
import { listen, tunnel } from "../support/sockets.ts"
import * as Tcp from "../support/tcp.ts"

/** Asks for a session of alice's: the client's end, and the reply. */
const ask = Effect.fnUntraced(function* (
  port: number,
  target: number
): Effect.fn.Return<{ readonly client: Peer; readonly code: number }, string, Scope.Scope> {
  const client = yield* Tcp.connect(port)
  yield* Tcp.authenticate(client, "alice", "secret")
  yield* client.send(request("127.0.0.1", target))
  return { client, code: (yield* client.receive(10))[1]! }
})

const alice = ["--user", "alice:secret"]

/** A server of a fleet, whose leases end after two seconds. */
const machine = (redis: Redis.Redis, flags: ReadonlyArray<string>) =>
  Program.start(["--fleet", redis.url, "--fleet-lease", "2s", "--log-level", "debug", ...flags])

const three = (redis: Redis.Redis, flags: ReadonlyArray<string>) =>
  Effect.all(
    [1, 2, 3].map(() => machine(redis, ["--workers", "2", ...flags])),
    { concurrency: "unbounded" }
  )

/** Asks each of these servers for so many sessions at once, and returns those that began. */
const begin = Effect.fnUntraced(function* (
  servers: ReadonlyArray<Program.Program>,
  target: Tcp.Target,
  count: number
) {
  const asked = yield* Effect.forEach(
    servers.flatMap(({ port }) => new Array<number>(count).fill(port)),
    (port) => ask(port, target.port),
    { concurrency: 40 }
  )
  return asked.filter(({ code }) => code === 0).map(({ client }) => client)
})

const close = (clients: ReadonlyArray<Peer>) =>
  Effect.andThen(
    Effect.sync(() => {
      for (const { duplex } of clients) (duplex as Socket).resetAndDestroy()
    }),
    Effect.sleep("300 millis")
  )

describeWith(["redis-server"], () => {
  it.live("a limit of sessions holds for all servers, whatever fails", () =>
    Effect.gen(function* () {
      const redis = yield* Redis.make()
      const target = yield* Tcp.target
      const servers = yield* three(redis, [...alice, "--max-sessions-per-user", "50"])
      const [first, second, third] = servers as [Program.Program, Program.Program, Program.Program]
      const open = yield* begin(servers, target, 40)
      assert.lengthOf(open, 50)

      // What ends at one server is free for the others.
      yield* close(open)
      const again = yield* begin([second], target, 60)
      assert.lengthOf(again, 50)
      yield* close(again.slice(0, 20))
      assert.lengthOf(yield* begin([third], target, 30), 20)

      // A server that is killed: its slots are free when its leases have ended.
      process.kill(-second.pid!, "SIGKILL")
      yield* second.within("5 seconds")
      yield* Effect.sleep("2500 millis")
      const rest = yield* begin([first, third], target, 40)
      assert.lengthOf(rest, 30)

      // A store that was emptied leases nothing until it has been told what is leased.
      yield* close(rest)
      yield* redis.command("FLUSHALL")
      const early = yield* begin([first], target, 60)
      yield* Effect.sleep("2500 millis")
      const late = yield* begin([first, third], target, 60)
      assert.strictEqual(20 + early.length + late.length, 50)
      yield* close([...early, ...late])
      yield* Effect.sleep("1 second")

      // Without a store each has its share of what is not in use, by the number of machines last seen: 25 of 50.
      yield* redis.kill
      yield* first.logged({ message: "this machine has lost its fleet: its leases have ended" })
      yield* third.logged({ message: "this machine has lost its fleet: its leases have ended" })
      const alone = yield* begin([first], target, 60)
      assert.lengthOf(alone, 25)
      assert.lengthOf(yield* begin([third], target, 30), 5)
      yield* redis.start
      yield* first.logged({ message: "this machine is in its fleet again" })
      yield* third.logged({ message: "this machine is in its fleet again" })
      yield* Effect.sleep("2500 millis")
      assert.lengthOf(yield* begin([first, third], target, 30), 0)
      yield* close(alone)
      assert.lengthOf(yield* begin([third], target, 40), 25)
    }).pipe(Effect.scoped)
  )

  it.live("rates and bandwidth hold for all servers together", () =>
    Effect.gen(function* () {
      const redis = yield* Redis.make()
      const target = yield* Tcp.target
      const [rated, paced] = yield* Effect.all(
        [
          three(redis, [...alice, "--fleet-prefix", "rated", "--session-rate", "10"]),
          three(redis, ["--fleet-prefix", "paced", "--bandwidth-user", "600KiB"])
        ],
        { concurrency: "unbounded" }
      )
      const startedAt = performance.now()
      const begun = yield* begin(rated!, target, 30)
      const seconds = (performance.now() - startedAt) / 1000
      assert.isAtLeast(begun.length, 10)
      assert.isAtMost(begun.length, 10 + Math.ceil(seconds * 10))

      const origin = yield* listen()
      const sinks = yield* Effect.forEach(paced!, ({ port }) =>
        Effect.gen(function* () {
          const { duplex } = yield* tunnel(port, origin.port)
          pour((yield* origin.accept).duplex)
          return duplex
        })
      )
      yield* Effect.sleep("1 second")
      const rates = yield* measured(sinks, 3)
      const all = rates.reduce((sum, { rate }) => sum + rate, 0) / 1024
      assert.isAtMost(all, 600 * 1.1)
      assert.isAtLeast(all, 600 * 0.7)
    }).pipe(Effect.scoped)
  )

  it.live("a server that stood still begins nothing with leases that have ended", () =>
    Effect.gen(function* () {
      const redis = yield* Redis.make()
      const target = yield* Tcp.target
      const [one, other] = yield* Effect.all(
        [1, 2].map(() => machine(redis, [...alice, "--max-sessions-per-user", "30"])),
        { concurrency: "unbounded" }
      )
      // It has leased more than it uses.
      const few = yield* begin([one!], target, 2)
      assert.lengthOf(few, 2)
      yield* one!.kill("SIGSTOP")
      yield* Effect.sleep("2500 millis")
      const many = yield* begin([other!], target, 40)
      assert.lengthOf(many, 30)
      yield* one!.kill("SIGCONT")
      assert.lengthOf(yield* begin([one!], target, 20), 0)
      yield* close(many)
      yield* Effect.sleep("2500 millis")
      assert.lengthOf(yield* begin([one!, other!], target, 20), 28)
    }).pipe(Effect.scoped)
  )

  it.live("a server needs the store to start, and shows no password", () =>
    Effect.gen(function* () {
      const redis = yield* Redis.make({ password: "s3cr3t" })
      const { stdout, kill } = yield* machine(redis, [])
      assert.notInclude(stdout(), "s3cr3t")
      yield* kill("SIGTERM")
      yield* redis.kill
      const refused = yield* Program.run(["--listen", "127.0.0.1:0", "--fleet", redis.url])
      assert.strictEqual(refused.code, 1)
      assert.match(refused.stderr, /^cannot keep the state in redis\+unix:.*: .*\n$/)
      assert.notInclude(refused.stderr, "s3cr3t")
    }).pipe(Effect.scoped)
  )
})
