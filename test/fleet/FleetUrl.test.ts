import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as FleetUrl from "../../src/fleet/FleetUrl.ts"

describe("the URL of a fleet's store", () => {
  it("has a host, TLS, a user, a password and a database", () => {
    assert.deepStrictEqual(Option.getOrThrow(FleetUrl.parse("rediss://proxy:s%3Ae@store.example:6380/2")), {
      shown: "rediss://store.example:6380/2",
      place: { host: "store.example", port: 6380 },
      isEncrypted: true,
      files: {},
      isExposed: false,
      username: "proxy",
      password: "s:e",
      database: 2
    })
    const { shown, place } = Option.getOrThrow(FleetUrl.parse("redis://[::1]"))
    assert.deepStrictEqual([shown, place], ["redis://[::1]:6379/0", { host: "::1", port: 6379 }])
  })

  it("names files of TLS", () => {
    const { files } = Option.getOrThrow(
      FleetUrl.parse("rediss://store?ca=/etc/ca.pem&cert=m.pem&key=/m%20one.key")
    )
    assert.deepStrictEqual(files, { ca: "/etc/ca.pem", cert: "m.pem", key: "/m one.key" })
  })

  it.each([
    ["redis://store", true],
    ["redis://192.0.2.1", true],
    ["redis://127.0.0.1:7000", false],
    ["redis://[::1]", false],
    ["redis://localhost", false],
    ["rediss://store", false],
    ["redis+unix:///run/redis.sock", false]
  ])("can be read on the way: %s", (text, isExposed) => {
    assert.strictEqual(Option.getOrThrow(FleetUrl.parse(text)).isExposed, isExposed)
  })

  it("can be a Unix-domain socket", () => {
    const url = Option.getOrThrow(FleetUrl.parse("redis+unix://:secret@localhost/run/my%20redis.sock?db=3"))
    assert.deepStrictEqual(url.place, { path: "/run/my redis.sock" })
    assert.deepStrictEqual([url.password, url.database, url.isEncrypted], ["secret", 3, false])
    assert.notInclude(url.shown, "secret")
    assert.isTrue(Option.isSome(FleetUrl.parse("redis+unix:///run/redis.sock")))
  })

  it.each([
    "redis:store",
    "redis://",
    "http://store:6379",
    "redis://store/one",
    "redis://store/0?tls=no",
    "redis://store?ca=/etc/ca.pem",
    "rediss://store?ca=",
    "rediss://store?cert=/machine.pem",
    "redis://store/0#one",
    "redis+unix://store/run/redis.sock",
    "redis+unix:///run/redis.sock?database=1",
    "redis://:%zz@store",
    "store:6379"
  ])("is not %s", (text) => {
    assert.isTrue(Option.isNone(FleetUrl.parse(text)))
  })
})
