/**
 * A PostgreSQL server of a test's own, on a Unix-domain socket and on TLS on loopback. It runs as the user `postgres`
 * where the tests run as root, which it refuses.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { chmodSync, chownSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Temporary from "./temporary.ts"

/** The newest of Debian's. */
const programs = () => {
  const versions = readdirSync("/usr/lib/postgresql").sort((one, other) => Number(other) - Number(one))
  return `/usr/lib/postgresql/${versions[0]}/bin`
}

const owner = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const [, , uid, gid] = /^postgres:.*$/m.exec(readFileSync("/etc/passwd", "utf8"))![0].split(":")
  return { uid: Number(uid), gid: Number(gid) }
}

/** The certificate of the server and its key (PEM), and the port of 127.0.0.1 on which it has TLS. */
interface Tls {
  readonly cert: string
  readonly key: string
  readonly port: number
}

/** A server that is started and killed at will. It ends with the scope. */
export const make = Effect.fnUntraced(function* (tls?: Tls) {
  const directory = yield* Temporary.directory
  const data = join(directory, "data")
  const user = owner()
  if (user) chownSync(directory, user.uid, user.gid)
  chmodSync(directory, 0o755)
  const bin = programs()
  writeFileSync(join(directory, "password"), "s3cr3t")
  execFileSync(
    `${bin}/initdb`,
    [
      ...["-D", data, "-U", "socks", "-A", "scram-sha-256", "--pwfile", join(directory, "password")],
      ...["--no-sync", "-E", "UTF8", "--locale=C"]
    ],
    { ...user, cwd: directory, stdio: "pipe" }
  )
  if (tls) {
    for (const [name, pem] of [
      ["server.crt", tls.cert],
      ["server.key", tls.key]
    ] as const) {
      const path = join(data, name)
      writeFileSync(path, pem, { mode: 0o600 })
      if (user) chownSync(path, user.uid, user.gid)
    }
  }
  let child: ChildProcess | undefined
  const url = `postgresql://socks:s3cr3t@localhost/postgres?host=${directory}`

  const isReady = Effect.promise(
    () =>
      new Promise<boolean>((resolve) => {
        const asking = spawn(`${bin}/pg_isready`, ["-q", "-h", directory, "-p", String(tls?.port ?? 5432)], {
          stdio: "ignore"
        })
        asking.on("exit", (code) => resolve(code === 0))
      })
  )
  const start = Effect.gen(function* () {
    const listen = tls
      ? ["-c", "listen_addresses=127.0.0.1", "-p", String(tls.port), "-c", "ssl=on"]
      : ["-c", "listen_addresses="]
    child = spawn(`${bin}/postgres`, ["-D", data, "-k", directory, ...listen], {
      ...user,
      cwd: directory,
      stdio: "ignore",
      // For signals to all its processes.
      detached: true
    })
    while (!(yield* isReady)) yield* Effect.sleep("50 millis")
  })
  const kill = Effect.callback<void>((resume) => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    process.kill(-child.pid!, "SIGKILL")
  })
  yield* Effect.addFinalizer(() => kill)
  return { url, start, kill }
})
