/**
 * ssh through nc, to an sshd of the test's own.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { userInfo } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWith } from "../support/clients.ts"
import * as Origin from "../support/origin.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import * as Temporary from "../support/temporary.ts"

describeWith(["openssh-client", "openssh-server", "netcat-openbsd"], () => {
  it.live("runs a command on a host behind the server, with nc as its ProxyCommand", () =>
    Effect.gen(function* () {
      const server = yield* Program.start()
      const directory = yield* Temporary.directory
      const port = yield* sshd(directory)
      const { code, stdout, stderr } = yield* Processes.run("ssh", [
        ...["-F", "none", "-i", join(directory, "user"), "-p", String(port)],
        ...["-o", "BatchMode=yes", "-o", `UserKnownHostsFile=${join(directory, "known_hosts")}`],
        ...["-o", `ProxyCommand=nc.openbsd -X 5 -x ${server.address} %h %p`],
        ...["127.0.0.1", "head -c 3000000 /dev/zero | wc -c; head -c 100000 /dev/zero; exit 7"]
      ])
      assert.strictEqual(code, 7, stderr)
      assert.strictEqual(stdout, `3000000\n${"\0".repeat(100_000)}`)
      yield* server.logged({ message: "session", target: `127.0.0.1:${port}`, outcome: "finished" })
    })
  )
})

/** Lets whoever runs the tests in, by a key in the directory, and returns its port. */
const sshd = Effect.fnUntraced(function* (directory: string) {
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
