/**
 * The store in a PostgreSQL database.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import * as Stores from "../../src/usage/Stores.ts"
import * as Certificates from "../support/certificates.ts"
import { describeWith } from "../support/clients.ts"
import * as Origin from "../support/origin.ts"
import * as Postgres from "../support/postgres.ts"
import { conforms } from "../support/stores.ts"
import * as Temporary from "../support/temporary.ts"
import { received } from "../support/usage.ts"

const place = (url: string) => ({ _tag: "postgresql" as const, url: Redacted.make(url) })

describeWith(["postgresql"], () => {
  it.live("a store passes the tests of all stores, and works again after the server was killed", () =>
    Effect.gen(function* () {
      const { url, start, kill } = yield* Postgres.make()
      const at = place(url)
      const down = yield* Effect.flip(Stores.open(at))
      assert.match(
        down.message,
        /^cannot use the usage store postgresql:\/\/\/tmp\/[^?]*\/postgres: .*ENOENT/
      )
      yield* start

      // Two servers that begin together.
      const [one, other] = yield* Effect.all([Stores.open(at), Stores.open(at)], { concurrency: 2 })
      yield* conforms(one)
      const rows = [{ account: "user carol", day: "2026-11-29", amount: received(5) }]
      const batch = { writer: "again", number: 1, rows }
      const carol = { from: "2026-11-01", to: "2026-11-30", user: "carol" }
      yield* Effect.all([one.write(batch), other.write({ ...batch, writer: "another" })], { concurrency: 2 })
      assert.strictEqual((yield* other.read(carol))[0]?.received, 10)

      // A machine whose clock is years behind is known as one that has written just now.
      const behind = { ...batch, writer: "behind" }
      yield* Effect.provide(one.write(behind), TestClock.layer())
      yield* one.prune("2001-01-01")
      yield* one.write(behind)
      assert.strictEqual((yield* one.read(carol))[0]?.received, 15)

      yield* kill
      const { message } = yield* Effect.flip(one.write({ ...batch, number: 2 }))
      assert.notInclude(message, "s3cr3t")
      yield* start
      yield* one.write({ ...batch, number: 2 })
      assert.strictEqual((yield* one.read(carol))[0]?.received, 20)

      const wrong = yield* Effect.flip(Stores.open(place(url.replace("s3cr3t", "other"))))
      assert.match(wrong.message, /password authentication failed for user "socks"/)
      assert.notInclude(wrong.message, "other@")
    })
  )

  it.live("a store over TLS is that of a server whose certificate is right", () =>
    Effect.gen(function* () {
      const path = yield* Temporary.directory
      const own = Certificates.certificate(path, "database", "/CN=localhost")
      const other = Certificates.certificate(path, "other", "/CN=other")
      const port = yield* Origin.freePort
      const { start } = yield* Postgres.make({ ...own, port })
      yield* start
      const at = (query: string) => place(`postgresql://socks:s3cr3t@localhost:${port}/postgres?${query}`)
      const store = yield* Stores.open(at(`sslmode=verify-full&sslrootcert=${own.certFile}`))
      assert.deepStrictEqual(yield* store.read({ from: "2026-11-01", to: "2026-11-30" }), [])
      const refused = (query: string) =>
        Effect.map(Effect.flip(Stores.open(at(query))), ({ reason }) => reason)
      assert.match(yield* refused("sslmode=require"), /certificate/)
      assert.match(yield* refused(`sslmode=require&sslrootcert=${other.certFile}`), /certificate/)
      assert.match(yield* refused("sslmode=require&sslrootcert=/nowhere.pem"), /ENOENT/)
    })
  )
})
