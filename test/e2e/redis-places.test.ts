/**
 * The ways to a fleet's store: TLS, a user of its own, a socket, a database; and servers that are no store.
 */
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { FleetStore, run } from "../../src/fleet/FleetStore.ts"
import * as FleetUrl from "../../src/fleet/FleetUrl.ts"
import * as RedisStore from "../../src/fleet/RedisStore.ts"
import { Salt } from "../../src/fleet/scripts/Salt.ts"
import * as Admin from "../support/admin.ts"
import { certificate } from "../support/certificates.ts"
import { describeWith } from "../support/clients.ts"
import * as Logs from "../support/logs.ts"
import * as Program from "../support/program.ts"
import * as Redis from "../support/redis.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"
import { freePort } from "../support/workers.ts"

const connect = (url: string) => RedisStore.layer(Option.getOrThrow(FleetUrl.parse(url)))

/** What a script on this store replies. */
const salt = (url: string, text: string) =>
  Effect.flatMap(FleetStore, (store) => run(store, Salt, ["effect-socks:{0}:salt"], [text])).pipe(
    Effect.provide(connect(url))
  )

/** Why these cannot be used. All are tried at once, as each takes its time. */
const reasons = (...urls: ReadonlyArray<string>) =>
  Effect.forEach(urls, (url) => Effect.map(Effect.flip(salt(url, "x")), ({ message }) => message), {
    concurrency: "unbounded"
  })

const secret = "s3cr3t"

describeWith(["redis-server", "curl"], () => {
  it.live("TLS, with an authority of one's own and a certificate of the machine", () =>
    Effect.gen(function* () {
      const directory = yield* Temporary.directory
      const ca = certificate(directory, "ca", "/CN=fleet's authority")
      const server = certificate(directory, "server", "/CN=localhost", ca)
      const machine = certificate(directory, "machine", "/CN=machine", ca)
      const other = certificate(directory, "other", "/CN=other authority")
      const port = yield* freePort
      const files = ["--tls-cert-file", server.certFile, "--tls-key-file", server.keyFile]
      const redis = yield* Redis.make({
        password: secret,
        flags: [
          ...["--bind", "127.0.0.1", "127.0.0.2"],
          "--tls-port",
          String(port),
          ...files,
          "--tls-ca-cert-file",
          ca.certFile,
          "--tls-auth-clients",
          "yes"
        ]
      })
      const own = `cert=${machine.certFile}&key=${machine.keyFile}`
      const url = `rediss://:${secret}@localhost:${port}`
      assert.strictEqual(yield* salt(`${url}?ca=${ca.certFile}&${own}`, "one"), "one")
      // By its address, which its certificate has.
      const byAddress = url.replace("localhost", "127.0.0.1")
      assert.strictEqual(yield* salt(`${byAddress}?ca=${ca.certFile}&${own}`, "two"), "one")

      yield* redis.command("CONFIG", "SET", "tls-auth-clients", "optional")
      assert.strictEqual(yield* salt(`${url}?ca=${ca.certFile}`, "three"), "one")
      yield* redis.command("CONFIG", "SET", "tls-auth-clients", "yes")
      const texts = yield* reasons(
        `${url}?${own}`,
        `${url}?ca=${other.certFile}&${own}`,
        `${url}?ca=${ca.certFile}`,
        `${url.replace("localhost", "127.0.0.2")}?ca=${ca.certFile}&${own}`,
        `${url}?ca=${join(directory, "none.pem")}`,
        `${url}?ca=${ca.certFile}&cert=${machine.certFile}&key=${other.keyFile}`,
        url.replace("rediss", "redis"),
        `${url.replace(secret, "0th3r")}?ca=${ca.certFile}&${own}`
      )
      const untrusted =
        /no authority that is trusted has signed its certificate \(\w+\): \?ca=FILE names one$/
      for (const [index, expected] of [
        untrusted,
        untrusted,
        /TLS: ERR_SSL_\w*CERTIFICATE_REQUIRED$|closed/,
        /does not match certificate's altnames/,
        /none\.pem" is not a file that can be read \(ENOENT\)$/,
        /other\.key" is not the PEM key of the certificate beside it$/,
        /closed|ECONNRESET/i,
        /WRONGPASS/
      ].entries()) {
        assert.match(texts[index]!, expected)
        assert.match(
          texts[index]!,
          /^cannot use the fleet's store rediss?:\/\/(localhost|127\.0\.0\.2):\d+\/0: /
        )
        assert.notMatch(texts[index]!, /s3cr3t|0th3r/)
      }
    })
  )

  it.live("a user of the store who may do no more than a machine needs, in a database of a fleet's own", () =>
    Effect.gen(function* () {
      const redis = yield* Redis.make({ password: "0f-the-default-user" })
      const user = `${Redis.rights("effect-socks")} on >${secret}`
      assert.match(yield* redis.command("ACL", "SETUSER", "socks", ...user.split(" ")), /^\+OK\r\n\+OK/m)
      const urlOf = (database: number) =>
        `redis+unix://socks:${secret}@localhost${redis.socket}?db=${database}`
      const machine = Effect.fnUntraced(function* (database: number) {
        const directory = yield* Temporary.directory
        const socketPath = join(directory, "admin.sock")
        const server = yield* Program.start([
          ...["--fleet", urlOf(database), "--fleet-machine", `of-${database}`, "--fleet-lease", "1s"],
          ...[
            "--state-dir",
            directory,
            "--admin",
            `unix:${socketPath}`,
            "--admin-token",
            "0123456789-abcdefghij"
          ],
          ...["--user", "alice:secret", "--allow-target", "127.0.0.1", "--monthly-quota", "1GiB"],
          ...["--max-sessions-per-user", "5", "--session-rate", "100"]
        ])
        yield* server.sinceStart({ message: "admin listens" })
        const api = (method: string, path: string, body?: unknown) =>
          Admin.ask({ socketPath, token: "0123456789-abcdefghij" }, `/api${path}`, {
            method,
            ...(body !== undefined && { body })
          })
        return { ...server, api }
      })
      const [one, two] = yield* Effect.all([machine(1), machine(2)], { concurrency: "unbounded" })
      for (const { port } of [one, two]) yield* Tcp.sessionOf("alice", port, yield* Tcp.target)
      const names = Effect.map(one.api("GET", "/fleet"), ({ json }) =>
        json.machines.map(({ name }: { readonly name: string }) => name)
      )
      assert.deepStrictEqual(yield* names, ["of-1"])
      yield* one.api("POST", "/bans", { network: "192.0.2.0/24" })
      // Longer than news take.
      yield* Effect.sleep("1500 millis")
      assert.deepStrictEqual((yield* two.api("GET", "/bans")).json, [])
      const shown = JSON.stringify((yield* one.api("GET", "/config")).json)
      for (const text of [one.stdout(), two.stdout(), shown]) {
        assert.notMatch(text, /s3cr3t|NOPERM/)
      }
    })
  )

  it.live("servers that are no store say so", () =>
    Effect.gen(function* () {
      const [primary, replica, sentinel] = [yield* freePort, yield* freePort, yield* freePort]
      yield* Redis.make({ port: primary })
      yield* Redis.make({ port: replica, flags: ["--replicaof", "127.0.0.1", String(primary)] })
      const [node, other] = [yield* Redis.node, yield* Redis.node]
      yield* Redis.sentinel(sentinel, primary)
      const texts = yield* reasons(
        ...[replica, node.port, sentinel].map((port) => `redis://127.0.0.1:${port}`)
      )
      assert.match(texts[0]!, /: it is a replica, which takes no changes: the URL is to lead to its primary$/)
      assert.match(texts[1]!, /: it is a node of a Redis Cluster that has 0 of 16384 hash slots$/)
      assert.match(texts[2]!, /: it is a Sentinel: the URL is to lead to the server that it watches$/)

      // A cluster of one server has all keys.
      yield* node.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
      while (!/cluster_state:ok/.test(yield* node.command("CLUSTER", "INFO")))
        yield* Effect.sleep("50 millis")
      assert.strictEqual(yield* salt(`redis://127.0.0.1:${node.port}`, "one"), "one")
      yield* node.command("CLUSTER", "DELSLOTSRANGE", "8192", "16383")
      yield* other.command("CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
      yield* other.command("CLUSTER", "MEET", "127.0.0.1", String(node.port), String(node.bus))
      while (!/slots_assigned:16384.*cluster_size:2/s.test(yield* node.command("CLUSTER", "INFO"))) {
        yield* Effect.sleep("50 millis")
      }
      const [text] = yield* reasons(`redis://127.0.0.1:${node.port}`)
      assert.match(
        text!,
        /: it is one of 2 servers of a Redis Cluster: a fleet needs one server that has all keys$/
      )
    })
  )

  it.live("a store that evicts keys is warned of", () =>
    Effect.gen(function* () {
      const redis = yield* Redis.make({
        flags: ["--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"]
      })
      const { lines, layer } = Logs.captured()
      yield* Effect.provide(salt(redis.url, "one"), layer)
      assert.deepInclude(
        lines.map(({ message }) => message),
        "the fleet's store can evict keys, each of which is a limit: maxmemory-policy is volatile-lru, and should be noeviction"
      )
    })
  )

  it.live("a replica that takes over is another run, and the server that was the primary is left", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* freePort, yield* freePort]
      const primary = yield* Redis.make({ port: first, flags: ["--repl-diskless-sync-delay", "0"] })
      const replica = yield* Redis.replica(first, { port: second })
      const front = yield* Redis.front(first)
      yield* Effect.gen(function* () {
        const store = yield* FleetStore
        const runs: Array<string> = []
        yield* store.onConnect((run) => runs.push(run))
        const look = run(store, Salt, ["salt"], ["one"])
        yield* look
        // As Sentinel does it: the address leads to the new primary, and the old one becomes its replica.
        yield* replica.command("REPLICAOF", "NO", "ONE")
        front.leadTo(second)
        yield* primary.command("REPLICAOF", "127.0.0.1", String(second))
        let exit = yield* Effect.exit(look)
        while (Exit.isFailure(exit) || runs.length < 2) {
          yield* Effect.sleep("20 millis")
          exit = yield* Effect.exit(look)
        }
        assert.strictEqual(exit.value, "one")
        assert.lengthOf(new Set(runs), 2)
      }).pipe(Effect.provide(connect(`redis://127.0.0.1:${front.port}`)))
    })
  )
})
