/**
 * HAProxy with the configuration of `deploy/`, in front of servers of a test's own.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Processes from "./processes.ts"
import * as Temporary from "./temporary.ts"
import * as Workers from "./workers.ts"

/** The host of a server of this number: 127.0.0.11 and so on, where all have the same ports. */
export const hostOf = (number: number): string => `127.0.0.1${number}`

interface Place {
  /** The port of the servers, that of their admin listeners, and the backend of HAProxy that is used. */
  readonly port: number
  readonly adminPort: number
  readonly backend: "effect-socks" | "effect-socks-by-readyz"
  /** Whether clients say by a PROXY header who they are, as if they came from elsewhere. */
  readonly isBehindProxy?: boolean
  /** The ports of 127.0.0.1 for clients, and for the metrics of HAProxy. */
  readonly front: number
  readonly metrics: number
}

/** The configuration of `deploy/`, on free ports of loopback. It looks up no name. */
const configured = (
  { port, adminPort, backend, isBehindProxy = false, front, metrics }: Place,
  { socket, ca }: Readonly<Record<"socket" | "ca", string>>
): string =>
  ["haproxy.cfg", ...(backend === "effect-socks" ? [] : ["by-readyz.cfg"])]
    .map((name) =>
      readFileSync(fileURLToPath(new URL(`../../deploy/haproxy/${name}`, import.meta.url)), "utf8")
    )
    .join("\n")
    .replaceAll(
      /(server socks(\d)) socks\d:1080/g,
      (_, begin, number) => `${begin} ${hostOf(number)}:${port}`
    )
    .replace(/^resolvers system\n(?: .*\n)*/m, "")
    .replace(/^ *default-server init-addr .*\n/m, "")
    .replace("/run/haproxy/admin.sock", socket)
    .replaceAll("/etc/haproxy/admin-ca.pem", ca)
    .replace("bind :1080", `bind 127.0.0.1:${front}${isBehindProxy ? " accept-proxy" : ""}`)
    .replace("127.0.0.1:8405", `127.0.0.1:${metrics}`)
    // On loopback the admin listeners of the test have no TLS.
    .replace("connect port 9080 ssl", `connect port ${adminPort}`)
    .replace("default_backend effect-socks\n", `default_backend ${backend}\n`)
    // A test waits for what a check finds.
    .replaceAll("inter 2s fastinter 500ms", "inter 500ms fastinter 250ms")

/** Writes the configuration, with a certificate in the place of the authority's. */
export const write = Effect.fnUntraced(function* (place: Place, certificate: string) {
  const directory = yield* Temporary.directory
  const [path, socket, ca] = ["haproxy.cfg", "admin.sock", "ca.pem"].map((name) => join(directory, name))
  writeFileSync(ca!, certificate)
  writeFileSync(path!, configured(place, { socket: socket!, ca: ca! }))
  return { path: path!, socket: socket! }
})

/** HAProxy in front of these servers, when as many of them take clients. */
export const start = Effect.fnUntraced(function* (
  servers: Pick<Place, "port" | "adminPort" | "backend" | "isBehindProxy">,
  certificate: string,
  count: number
) {
  const place = { ...servers, front: yield* Workers.freePort, metrics: yield* Workers.freePort }
  const { path, socket } = yield* write(place, certificate)
  const haproxy = yield* Processes.start("haproxy", ["-db", "-f", path])
  /** The servers that HAProxy sends clients to. */
  const serving = Effect.map(command(socket, "show stat"), (table) => {
    const [names = [], ...rows] = table
      .replace(/^# /, "")
      .split("\n")
      .map((line) => line.split(","))
    const at = (row: ReadonlyArray<string>, name: string) => row[names.indexOf(name)] ?? ""
    return rows
      .filter((row) => at(row, "pxname") === place.backend && /^UP/.test(at(row, "status")))
      .map((row) => at(row, "svname"))
      .filter((name) => name.startsWith("socks"))
  })
  /** Completes when HAProxy sends clients to these servers and to no other. */
  const sends = (...servers: ReadonlyArray<string>) =>
    Effect.repeat(Effect.andThen(Effect.sleep("50 millis"), serving), {
      until: (names) => names.join() === servers.join()
    })
  const ended = Effect.flatMap(haproxy.within("45 seconds"), ({ stderr }) => Effect.die(new Error(stderr)))
  yield* Effect.raceFirst(sends(...Array.from({ length: count }, (_, index) => `socks${index + 1}`)), ended)
  return { port: place.front, sends }
})

/** What a command of HAProxy's own socket answers; nothing while nobody listens there. */
const command = (socket: string, text: string): Effect.Effect<string> =>
  Effect.callback((resume) => {
    let answer = ""
    const client = connect(socket, () => client.write(`${text}\n`))
    client.setEncoding("utf8").on("data", (part: string) => {
      answer += part
    })
    client.on("error", () => resume(Effect.succeed("")))
    client.on("close", () => resume(Effect.succeed(answer)))
    return Effect.sync(() => client.destroy())
  })
