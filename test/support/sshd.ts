/**
 * An sshd of a test's own.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { userInfo } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { here, type Place } from "./forwarders.ts"
import * as Processes from "./processes.ts"

/** Lets whoever runs the tests in, by a key in the directory, and returns its port. */
export const sshd = Effect.fnUntraced(function* (
  directory: string,
  place: Place = here
): Effect.fn.Return<number, never, Scope.Scope> {
  const { by, host } = place
  const port = yield* place.port
  const at = (name: string) => join(directory, name)
  for (const name of ["host", "user"]) {
    yield* Processes.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(name)])
  }
  const config = [
    `ListenAddress ${host}`,
    `Port ${port}`,
    `HostKey ${at("host")}`,
    `AuthorizedKeysFile ${at("user.pub")}`,
    // The directory is below one that everyone can write to.
    "StrictModes no",
    "PasswordAuthentication no",
    "PermitRootLogin yes",
    "PidFile none",
    "UsePAM no"
  ]
  yield* Effect.promise(async () => {
    const hostKey = await readFile(at("host.pub"), "utf8")
    await writeFile(at("known_hosts"), `[${host}]:${port} ${hostKey}`)
    await writeFile(at("config"), `${config.join("\n")}\n`)
    // Where the system's own sshd runs, it is there already.
    if (userInfo().uid === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 })
  })
  const shown = `exec /usr/sbin/sshd -D -e -f ${at("config")} 2>&1`
  const [first, ...rest] = [...by, "sh", "-c", shown]
  const running = yield* Processes.start(first!, rest)
  yield* running.until((stdout) => stdout.includes("Server listening") || undefined)
  return port
})
