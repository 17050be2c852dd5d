/**
 * The URL of a PostgreSQL database: what is shown of it, and when TLS is asked for.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as PostgresUrl from "../../src/usage/PostgresUrl.ts"

const parse = (text: string) => Option.getOrUndefined(PostgresUrl.parse(text))

describe("a URL of PostgreSQL", () => {
  it.each([
    ["postgresql://alice:secret@db.example:5433/usage", "postgresql://db.example:5433/usage", true],
    ["postgres://alice:secret@db.example/usage?sslmode=disable", "postgresql://db.example/usage", false],
    ["postgresql://alice@127.0.0.1/usage", "postgresql://127.0.0.1/usage", false],
    ["postgresql://localhost/usage?sslmode=verify-full", "postgresql://localhost/usage", true],
    ["postgresql://[::1]/usage", "postgresql://[::1]/usage", false],
    ["postgresql:///usage?host=/run/postgresql", "postgresql:///run/postgresql/usage", false],
    ["postgresql://localhost/usage?host=db.example&password=secret", "postgresql://db.example/usage", true]
  ])("%s is shown as %s", (text, shown, isEncrypted) => {
    assert.deepInclude(parse(text), { shown, isEncrypted })
    assert.notInclude(parse(text)!.shown, "secret")
  })

  it("has the files of TLS apart", () => {
    const url = parse(
      "postgresql://db/usage?sslrootcert=/ca.pem&sslcert=/c.pem&sslkey=/k.pem&application_name=x"
    )
    assert.deepStrictEqual(url?.files, { ca: "/ca.pem", cert: "/c.pem", key: "/k.pem" })
    assert.strictEqual(url?.url, "postgresql://db/usage?application_name=x")
  })

  it("is refused with an sslmode that continues without TLS", () => {
    for (const mode of ["prefer", "allow", "", "on"])
      assert.isUndefined(parse(`postgresql://db/usage?sslmode=${mode}`))
    for (const text of ["mysql://db/usage", "postgresql:usage", "postgresql://["])
      assert.isUndefined(parse(text))
  })
})
