/**
 * Network namespaces of a test's own, with cables between them. Each lives in a process that ends by itself, as nothing
 * else ends it if the tests are killed.
 */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Place } from "./forwarders.ts"
import * as Processes from "./processes.ts"

/** Whether this process may make namespaces, and has the tools to set them up. */
export const isPermitted = process.getuid?.() === 0 && spawnSync("unshare", ["-n", "ip", "link"]).status === 0

export interface Namespace {
  readonly pid: number
  /** A command that runs the command line behind it in the namespace. */
  readonly by: ReadonlyArray<string>
  /** Runs lines of a shell there, which have to succeed. */
  readonly run: (...lines: ReadonlyArray<string>) => Effect.Effect<string>
  /** A place for a program in this namespace: this address, and a port of its own. */
  readonly at: (host: string) => Place
  /** The number of packets of IPv4 that have arrived there, on any way. */
  readonly packets: () => number
}

/** A namespace with nothing but loopback. */
export const make: Effect.Effect<Namespace, never, Scope.Scope> = Effect.gen(function* () {
  const line = "ip link set lo up && echo ready && exec sleep 120"
  const holder = yield* Processes.start("unshare", ["-n", "sh", "-c", line])
  yield* holder.until((stdout) => stdout.includes("ready") || undefined)
  const pid = holder.pid!
  const by = ["nsenter", "-t", String(pid), "-n"]
  const run = Effect.fnUntraced(function* (...lines: ReadonlyArray<string>) {
    const [command, ...args] = [...by, "sh", "-ec", lines.join("\n")]
    const { code, stdout, stderr } = yield* Processes.run(command!, args)
    if (code !== 0) return yield* Effect.die(new Error(`${lines.join("; ")}: ${stderr}`))
    return stdout
  })
  return {
    pid,
    by,
    run,
    at: (host) => ({ by, host, port: Effect.sync(() => 20_000 + ++programs) }),
    packets: () => {
      const [head = "", values = ""] = readFileSync(`/proc/${pid}/net/snmp`, "utf8")
        .split("\n")
        .filter((line) => line.startsWith("Ip: "))
      return Number(values.split(" ")[head.split(" ").indexOf("InReceives")])
    }
  }
})

/** The numbers of all programs and cables so far. */
let programs = 0
let cables = 0

/** Connects two namespaces. Each end has these addresses, such as `10.1.0.1/24`. Returns the names of the ends. */
export const connect = Effect.fnUntraced(function* (
  [one, ...ofOne]: readonly [Namespace, ...ReadonlyArray<string>],
  [other, ...ofOther]: readonly [Namespace, ...ReadonlyArray<string>]
) {
  const [near, far] = [`near${++cables}`, `far${cables}`]
  const up = (device: string, addresses: ReadonlyArray<string>) => [
    ...addresses.map(
      (address) => `ip addr add ${address} dev ${device} ${address.includes(":") ? "nodad" : ""}`
    ),
    `ip link set ${device} up`
  ]
  yield* one.run(`ip link add ${near} type veth peer name ${far} netns ${other.pid}`, ...up(near, ofOne))
  yield* other.run(...up(far, ofOther))
  return [near, far] as const
})
