/**
 * An sshd of a test's own.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { userInfo } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Origin from "./origin.ts"
import * as Processes from "./processes.ts"

/** Lets whoever runs the tests in, by a key in the directory, and returns its port. */
export const sshd = Effect.fnUntraced(function* (directory: string) {
  const port = yield* Origin.freePort
  const at = (name: string) => join(directory, name)
  for (const name of ["host", "user"]) {
    yield* Processes.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(name)])
  }
  const config = [
    "ListenAddress 127.0.0.1",
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
    await writeFile(at("known_hosts"), `[127.0.0.1]:${port} ${hostKey}`)
    await writeFile(at("config"), `${config.join("\n")}\n`)
    // Where the system's own sshd runs, it is there already.
    if (userInfo().uid === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 })
  })
  const shown = `exec /usr/sbin/sshd -D -e -f ${at("config")} 2>&1`
  const running = yield* Processes.start("sh", ["-c", shown])
  yield* running.until((stdout) => stdout.includes("Server listening") || undefined)
  return port
})
