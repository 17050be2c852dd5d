/**
 * A machine of a fleet that begins: what it has before it listens, and without its store.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Admin from "../support/admin.ts"
import { describeWith } from "../support/clients.ts"
import { request } from "../support/messages.ts"
import * as Program from "../support/program.ts"
import * as Redis from "../support/redis.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"
import { until } from "../support/until.ts"

const limit = 10

const token = "0123456789-abcdefghij"

const flagsOf = (store: string, directory: string, name: string) => [
  ...["--listen", "127.0.0.1:0", "--fleet", store, "--fleet-machine", name, "--fleet-lease", "1500ms"],
  ...["--user", "alice:secret", "--max-sessions-per-user", String(limit), "--allow-target", "127.0.0.1"],
  ...["--state-dir", directory, "--admin", `unix:${join(directory, "admin.sock")}`, "--admin-token", token]
]

describeWith(["redis-server"], () => {
  it.live("a machine that begins without its store has its share, by what it has seen last", () =>
    Effect.gen(function* () {
      const store = yield* Redis.make({ password: "s3cr3t" })
      const target = yield* Tcp.target
      const start = Effect.fnUntraced(function* (name: string, directory: string) {
        const server = yield* Program.start(flagsOf(store.url, directory, name))
        yield* server.sinceStart({ message: "admin listens" })
        const api = (path: string) =>
          Admin.ask({ socketPath: join(directory, "admin.sock"), token }, `/api${path}`)
        const ask = Effect.gen(function* () {
          const client = yield* Tcp.connect(server.port)
          yield* Tcp.authenticate(client, "alice", "secret")
          yield* client.send(request("127.0.0.1", target.port))
          return (yield* client.receive(10))[1] === 0 ? 1 : 0
        })
        /** How many sessions begin. */
        const begin = Effect.map(
          Effect.replicateEffect(ask, limit + 2, { concurrency: "unbounded" }),
          (codes) => codes.reduce((sum: number, code) => sum + code, 0)
        )
        return { ...server, api, begin }
      })
      const [here, there] = [yield* Temporary.directory, yield* Temporary.directory]
      const [one, two] = yield* Effect.all([start("one", here), start("two", there)], {
        concurrency: "unbounded"
      })
      const seen = join(there, "fleet.json")
      while (!existsSync(seen) || JSON.parse(readFileSync(seen, "utf8")).machines < 2) {
        yield* Effect.sleep("50 millis")
      }
      yield* two.kill("SIGKILL")
      yield* two.within("5 seconds")
      yield* store.kill

      const begun = performance.now()
      const [again, refused] = yield* Effect.all(
        [
          start("two", there),
          Effect.flatMap(Temporary.directory, (directory) =>
            Program.run(flagsOf(store.url, directory, "three"))
          )
        ],
        { concurrency: "unbounded" }
      )
      assert.isBelow(performance.now() - begun, 10_000)
      yield* again.sinceStart({ level: "warn", machines: 2 })
      assert.strictEqual(yield* again.begin, limit / 2)
      assert.isTrue((yield* again.api("/fleet")).json.storeLost)
      const { text } = yield* Admin.ask({ socketPath: join(there, "admin.sock"), token }, "/metrics")
      for (const [metric, value] of [
        ["machines", 2],
        ["lost", 1],
        ["unsent_bytes", 0]
      ]) {
        assert.include(text, `\neffect_socks_fleet_${metric}{machine="two"} ${value}\n`)
      }
      // One that has seen nothing yet does not know its share.
      assert.deepInclude(refused, { code: 1 })
      assert.match(refused.stderr, /^cannot use the fleet's store redis\+unix:/)

      yield* store.start
      yield* again.logged({ message: "this machine is in its fleet again" })
      yield* one.logged({ message: "this machine is in its fleet again" })
      let others = 0
      while (others < limit / 2) others += yield* one.begin
      assert.strictEqual(others, limit / 2)
      assert.strictEqual(yield* again.begin, 0)

      // A server that answers, and refuses, is a mistake.
      const wrong = yield* Program.run(flagsOf(store.url.replace("s3cr3t", "0th3r"), there, "two"))
      assert.match(wrong.stderr, /WRONGPASS/)
      // So is another lease: a store that was emptied would lease what this machine has.
      const longer = flagsOf(store.url, yield* Temporary.directory, "four").with(7, "3s")
      const unlike = yield* Program.run(longer)
      assert.deepInclude(unlike, { code: 1 })
      assert.match(
        unlike.stderr,
        /: the machine (one|two) has --fleet-lease 1.5s, and this machine 3s: all machines need the same\n$/
      )
      // One with another limit judges by it, and an operator sees that.
      const more = yield* Program.start(flagsOf(store.url, yield* Temporary.directory, "five").with(11, "20"))
      yield* more.sinceStart({ message: "admin listens" })
      const admin = ["--admin", `unix:${join(here, "admin.sock")}`, "--admin-token", token]
      const shown = yield* Program.run(["fleet", ...admin])
      assert.include(shown.stdout, "five")
      assert.strictEqual(shown.stderr, "warning: max-sessions-per-user is 20 on five, and 10 on one, two\n")
      for (const text of [again.stdout(), refused.stderr, wrong.stderr]) {
        assert.notMatch(text, /s3cr3t|0th3r/)
      }
    })
  )

  it.live("a machine that begins knows that a ban was lifted, though its file and its store do not", () =>
    Effect.gen(function* () {
      const store = yield* Redis.make()
      const directory = yield* Temporary.directory
      const [bans, words] = [join(directory, "bans"), join(directory, "fleet-bans.json")]
      const start = Effect.fnUntraced(function* () {
        const flags = [...flagsOf(store.url, directory, "one"), "--bans-file", bans]
        const server = yield* Program.start(flags)
        yield* server.sinceStart({ message: "admin listens" })
        const api = (path: string, options: Admin.Options = {}) =>
          Admin.ask({ socketPath: join(directory, "admin.sock"), token }, `/api/bans${path}`, options)
        return { server, api }
      })
      const { server, api } = yield* start()
      const networks = ["192.0.2.1/32", "192.0.2.2/32"]
      for (const network of networks) yield* api("", { method: "POST", body: { network } })
      yield* until(() => networks.every((network) => readFileSync(bans, "utf8").includes(network)))
      const before = readFileSync(bans)
      yield* api(`/${encodeURIComponent(networks[0]!)}`, { method: "DELETE" })
      yield* until(() => existsSync(words) && readFileSync(words, "utf8").includes('"isBan":false'))
      yield* server.kill("SIGKILL")
      yield* server.within("5 seconds")
      writeFileSync(bans, before)
      yield* store.kill
      yield* store.start
      const again = yield* start()
      const { json } = yield* again.api("")
      assert.deepStrictEqual(
        json.map(({ network }: { readonly network: string }) => network),
        networks.slice(1)
      )
    })
  )
})
