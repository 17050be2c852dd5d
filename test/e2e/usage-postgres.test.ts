/**
 * Usage in PostgreSQL, which is killed while the server serves, and the server after it.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWith } from "../support/clients.ts"
import * as Postgres from "../support/postgres.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"

describeWith(["postgresql"], () => {
  it.live("usage in PostgreSQL is kept when the database is killed, and then the server", () =>
    Effect.gen(function* () {
      const database = yield* Postgres.make()
      const flags = ["--usage-store", database.url]

      // Without its store no server forgets its quotas.
      const refused = yield* Program.run(["--listen", "127.0.0.1:0", ...flags])
      assert.strictEqual(refused.code, 1)
      assert.match(refused.stderr, /^cannot keep the state in postgresql:.*\/postgres: .*\n$/)
      assert.notInclude(refused.stderr, "s3cr3t")

      yield* database.start
      const settings = [...flags, "--user", "alice:secret", "--monthly-quota", "10kB"]
      const server = yield* Program.start(settings)
      const target = yield* Tcp.target
      const { client, origin } = yield* Tcp.sessionOf("alice", server.port, target)
      const move = Effect.fnUntraced(function* (bytes: number) {
        yield* client.send(new Uint8Array(bytes))
        yield* origin.receive(bytes)
      })
      yield* move(1000)
      yield* Effect.sleep("1 second")
      yield* database.kill
      yield* move(2000)
      yield* server.logged({ message: "usage cannot be stored, and waits in memory" })
      yield* move(3000)
      yield* database.start
      yield* server.logged({ message: "usage is stored again" })
      yield* move(500)
      yield* Effect.sleep("1 second")
      yield* server.kill("SIGKILL")
      yield* server.within("5 seconds")
      assert.notInclude(server.stdout(), "s3cr3t")

      const { stdout } = yield* Program.run(["usage", "--csv", "--by", "user", ...flags])
      assert.match(stdout, /^,alice,6500,0,1,/m)

      // The quota is taken from it, and holds while the database is away.
      const again = yield* Program.start(settings)
      const more = yield* Tcp.sessionOf("alice", again.port, target)
      yield* database.kill
      yield* more.client.send(new Uint8Array(3500))
      assert.strictEqual(yield* more.client.ending, "reset")
      yield* again.logged({ message: "session", outcome: "quota" })
      const stopped = yield* again.stop
      assert.strictEqual(stopped.code, 0)
      assert.deepInclude(yield* again.logged({ message: "usage is lost: its store failed until the end" }), {
        accounts: 1,
        bytes: 3500
      })
    })
  )
})
