/**
 * SOCKS servers of others, from Debian, on loopback or in a network namespace, for a server that goes through them.
 */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { here, listening, type Place, startAt } from "./forwarders.ts"
import { sshd } from "./sshd.ts"
import * as Temporary from "./temporary.ts"

/** A dante server that lets everyone go anywhere, with UDP and BIND. It leaves from `external`. */
export const danteAt = Effect.fnUntraced(function* (
  place: Place,
  external = place.host
): Effect.fn.Return<number, never, Scope.Scope> {
  const file = join(yield* Temporary.directory, "danted.conf")
  const port = yield* place.port
  const config = [
    "logoutput: stderr",
    `internal: ${place.host} port = ${port}`,
    `external: ${external}`,
    "clientmethod: none",
    "socksmethod: none",
    "client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }",
    "socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 command: connect bind udpassociate }",
    "socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 command: bindreply udpreply }"
  ]
  yield* Effect.promise(() => writeFile(file, `${config.join("\n")}\n`))
  yield* startAt(place, "danted", ["-f", file])
  yield* listening(place, port)
  return port
})

/** A microsocks that wants the login `alice:secret`. */
export const microsocksAt = Effect.fnUntraced(function* (
  place: Place
): Effect.fn.Return<number, never, Scope.Scope> {
  const port = yield* place.port
  const login = ["-u", "alice", "-P", "secret"]
  yield* startAt(place, "microsocks", ["-i", place.host, "-p", String(port), ...login])
  yield* listening(place, port)
  return port
})

/** An ssh that forwards dynamically (-D), by an sshd at another place. */
export const sshAt = Effect.fnUntraced(function* (
  place: Place,
  behind: Place
): Effect.fn.Return<number, never, Scope.Scope> {
  const directory = yield* Temporary.directory
  const to = yield* sshd(directory, behind)
  const port = yield* place.port
  yield* startAt(place, "ssh", [
    ...["-F", "none", "-i", join(directory, "user"), "-p", String(to), "-N", "-D", `${place.host}:${port}`],
    ...["-o", "BatchMode=yes", "-o", `UserKnownHostsFile=${join(directory, "known_hosts")}`, behind.host]
  ])
  yield* listening(place, port)
  return port
})

/** The ports of these on loopback. */
export const dante = danteAt(here)
export const microsocks = microsocksAt(here)
export const ssh = sshAt(here, here)
