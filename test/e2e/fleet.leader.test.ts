/**
 * Three servers, one of them with two workers, on one Redis and one PostgreSQL: one of them leads, and checks an upstream for
 * all. What happens when that one, the database or the store is gone.
 */
import { writeFileSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { MachineRow } from "../../src/admin/Api.ts"
import * as Admin from "../support/admin.ts"
import { describeWith } from "../support/clients.ts"
import { ended, leaderOf, leads, times } from "../support/leaders.ts"
import * as Postgres from "../support/postgres.ts"
import * as Program from "../support/program.ts"
import * as Redis from "../support/redis.ts"
import * as Temporary from "../support/temporary.ts"
import { until } from "../support/until.ts"
import * as Workers from "../support/workers.ts"

/** A leader is missed for some leases each time that it is gone. */
const patience = 150_000

/** Milliseconds between two checks. */
const every = 1000

/** A SOCKS5 server that counts its clients, and closes on them while it is broken. */
const upstream = Effect.gen(function* () {
  let count = 0
  let isBroken = false
  const server = createServer((socket) => {
    count++
    socket.on("error", () => {})
    if (isBroken) {
      socket.destroy()
      return
    }
    const answers = [
      [5, 0],
      [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    ]
    socket.on("data", () => void socket.write(Uint8Array.from(answers.shift() ?? [])))
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => server.close())
  )
  return {
    port: (server.address() as AddressInfo).port,
    break: (next: boolean) => {
      isBroken = next
    },
    /** Checks in so many milliseconds, for the time of one check. */
    rate: (milliseconds: number) =>
      Effect.gen(function* () {
        const [before, since] = [count, performance.now()]
        yield* Effect.sleep(milliseconds)
        return ((count - before) * every) / (performance.now() - since)
      })
  }
})

interface Machine {
  readonly name: string
  readonly admin: Admin.At
  readonly program: Program.Program
  /** Processes that serve. */
  readonly workers: number
  /** All of its processes. */
  readonly pids: ReadonlyArray<number>
}

/** Which machines lead, as this one lists them: undefined of those without an answer. */
const listed = ({ admin }: Machine) =>
  Effect.map(Admin.ask(admin, "/api/fleet"), ({ json }): Readonly<Record<string, boolean | undefined>> => {
    const machines: ReadonlyArray<MachineRow> = json.machines
    return Object.fromEntries(machines.map(({ name, status }) => [name, status?.leads]))
  })

/** The lines of the metric that says whether this machine leads, and of those that are no metrics of the server. */
const measured = ({ admin }: Machine) =>
  Effect.map(Admin.ask(admin, "/metrics"), ({ text }) =>
    text.match(/^(?:effect_socks_fleet_leads\{|(?!effect_socks_|#|$)).*$/gm)
  )

/** What the command prints of the machine that leads, and of the others. */
const printed = ({ admin }: Machine) =>
  Effect.map(
    Program.run(["fleet", "--admin", `127.0.0.1:${admin.port}`, "--admin-token", Admin.token]),
    ({ stdout }) =>
      stdout.split("\n").flatMap((line) => /^(\w+) +ready +(yes|no|-) /.exec(line)?.slice(1) ?? [])
  )

const signal = ({ pids }: Machine, name: NodeJS.Signals) => {
  for (const pid of pids) process.kill(pid, name)
}

/** Three machines that are told to have a leader, with an upstream that is checked. */
const fleet = Effect.gen(function* () {
  const database = yield* Postgres.make()
  yield* database.start
  const store = yield* Redis.make()
  const proxy = yield* upstream
  const config = join(yield* Temporary.directory, "config.json")
  writeFileSync(
    config,
    JSON.stringify({
      ...{ listen: "127.0.0.1:0", fleet: store.url, "fleet-leader": true, "fleet-lease": "1500ms" },
      ...{ admin: "127.0.0.1:0", "admin-token": Admin.token },
      ...{ "usage-store": database.url, "drain-timeout": "1s", "log-level": "debug" },
      routes: [
        {
          name: "pool",
          members: [{ name: "only", via: `socks5://127.0.0.1:${proxy.port}` }],
          check: { target: "127.0.0.1:9", every: `${every}ms` }
        }
      ],
      rules: { allow: true, route: "pool" }
    })
  )
  const machineOf = Effect.fnUntraced(function* (
    name: string,
    program: Program.Program,
    pids: ReadonlyArray<number> = []
  ): Effect.fn.Return<Machine> {
    const { address } = yield* program.logged({ message: "admin listens" })
    const admin = { port: Program.portOf(String(address)), token: Admin.token }
    return { name, admin, program, workers: pids.length || 1, pids: [program.pid!, ...pids] }
  })
  const enter = (name: string) =>
    Effect.flatMap(Program.start(["--config", config, "--fleet-machine", name]), (program) =>
      machineOf(name, program)
    )
  const pair = Effect.gen(function* () {
    const program = yield* Workers.start(["--config", config, "--workers", "2", "--fleet-machine", "pair"])
    return yield* machineOf("pair", program, yield* program.pids)
  })
  const machines: ReadonlyArray<Machine> = yield* Effect.all([pair, enter("one"), enter("two")], {
    concurrency: "unbounded"
  })
  // With a share of the checks of a change.
  const checkedByEach = Effect.gen(function* () {
    while ((yield* proxy.rate(3 * every)) < 1.7) yield* Effect.void
  })
  const checkedOnce = Effect.gen(function* () {
    while ((yield* proxy.rate(4 * every)) > 1.3) yield* Effect.void
  })
  yield* leaderOf(machines)
  yield* checkedOnce
  return { database, store, proxy, machines, joining: enter, checkedOnce, checkedByEach }
})

describeWith(["postgresql", "redis-server"], () => {
  it.live(
    "one machine checks an upstream for all, and another one when that is gone",
    () =>
      Effect.gen(function* () {
        const { proxy, joining, checkedOnce, machines: first } = yield* fleet
        let machines = first

        // All processes go by it.
        const seen = (message: string) =>
          until(() => machines.every((machine) => times(machine, message) === machine.workers))
        proxy.break(true)
        yield* seen("an upstream keeps failing")
        proxy.break(false)
        yield* seen("an upstream works again")

        // Each of them says which one leads.
        const killed = yield* leaderOf(machines)
        const expected = machines.map(({ name }): [string, boolean] => [name, name === killed.name])
        for (const machine of machines) {
          assert.deepStrictEqual(yield* listed(machine), Object.fromEntries(expected))
          const value = machine === killed ? 1 : 0
          assert.deepStrictEqual(yield* measured(machine), [
            `effect_socks_fleet_leads{machine="${machine.name}"} ${value}`
          ])
        }
        assert.deepStrictEqual(
          yield* printed(machines[0]!),
          expected.sort().flatMap(([name, leads]) => [name, leads ? "yes" : "no"])
        )

        // It is killed.
        signal(killed, "SIGKILL")
        machines = machines.filter((machine) => machine !== killed)
        yield* leaderOf(machines)
        yield* checkedOnce
        machines = [...machines, yield* joining("again")]

        // It stands still.
        const still = yield* leaderOf(machines)
        signal(still, "SIGSTOP")
        const others = machines.filter((machine) => machine !== still)
        assert.deepInclude(yield* listed(others[0]!), { [still.name]: undefined, [others[1]!.name]: false })
        yield* leaderOf(others)
        signal(still, "SIGCONT")
        yield* until(() => ended(still) > 0)

        // It is stopped.
        const last = yield* leaderOf(machines)
        yield* last.program.kill("SIGTERM")
        yield* last.program.within("10 seconds")
        yield* leaderOf(machines.filter((machine) => machine !== last))
        yield* checkedOnce
      }),
    patience
  )

  it.live(
    "each machine checks for itself while nothing can choose one",
    () =>
      Effect.gen(function* () {
        const { database, store, machines, checkedOnce, checkedByEach } = yield* fleet
        // Without the database, and then without the store, although the database could choose.
        for (const lost of [database, store]) {
          yield* lost.kill
          yield* until(() => !machines.some(leads))
          yield* checkedByEach
          yield* lost.start
          yield* leaderOf(machines)
          yield* checkedOnce
        }
        for (const { program } of machines) assert.notInclude(program.stdout(), "s3cr3t")
      }),
    patience
  )

  it.live("a leader without what chooses it is refused at the start", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* Program.run(["--listen", "127.0.0.1:0", "--fleet-leader"])
      assert.strictEqual(code, 2)
      assert.strictEqual(
        stderr,
        "--fleet-leader: a leader is not possible without a fleet, which --fleet names\n"
      )
    })
  )
})
