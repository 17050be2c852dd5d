/**
 * SOCKS servers of others, from Debian, on loopback, for a server that goes through them.
 */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { listening } from "./forwarders.ts"
import * as Origin from "./origin.ts"
import * as Processes from "./processes.ts"
import { sshd } from "./sshd.ts"
import * as Temporary from "./temporary.ts"

/** The port of a dante server that lets everyone on this machine go anywhere, with UDP and BIND. */
export const dante = Effect.gen(function* () {
  const file = join(yield* Temporary.directory, "danted.conf")
  const port = yield* Origin.freePort
  const config = [
    "logoutput: stderr",
    `internal: 127.0.0.1 port = ${port}`,
    "external: 127.0.0.1",
    "clientmethod: none",
    "socksmethod: none",
    "client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }",
    "socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 command: connect bind udpassociate }",
    "socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 command: bindreply udpreply }"
  ]
  yield* Effect.promise(() => writeFile(file, `${config.join("\n")}\n`))
  yield* Processes.start("danted", ["-f", file])
  yield* listening(port)
  return port
})

/** The port of a microsocks that wants the login `alice:secret`. */
export const microsocks = Effect.gen(function* () {
  const port = yield* Origin.freePort
  yield* Processes.start("microsocks", ["-i", "127.0.0.1", "-p", String(port), "-u", "alice", "-P", "secret"])
  yield* listening(port)
  return port
})

/** The port of an ssh that forwards dynamically (-D). */
export const ssh = Effect.gen(function* () {
  const directory = yield* Temporary.directory
  const to = yield* sshd(directory)
  const port = yield* Origin.freePort
  yield* Processes.start("ssh", [
    ...["-F", "none", "-i", join(directory, "user"), "-p", String(to), "-N", "-D", `127.0.0.1:${port}`],
    ...["-o", "BatchMode=yes", "-o", `UserKnownHostsFile=${join(directory, "known_hosts")}`, "127.0.0.1"]
  ])
  yield* listening(port)
  return port
})
