/**
 * Where clients may go to private addresses if nobody says so.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as ListenAddress from "../../src/config/ListenAddress.ts"
import * as Parsers from "../../src/config/Parsers.ts"
import * as Reach from "../../src/policy/Reach.ts"
import * as Config from "../../src/server/Config.ts"

const listening = (texts: string, privateTargets: "auto" | "allow" | "deny" = "auto") => ({
  ...Config.defaults,
  privateTargets,
  listen: texts.split(" ").map((text) => Option.getOrThrow(ListenAddress.fromString(text)))
})

describe("Reach", () => {
  it.each([
    ["127.0.0.1:1080", true],
    ["127.8.8.8:1080", true],
    ["[::1]:1080", true],
    ["[::ffff:127.0.0.1]:1080", true],
    ["localhost:1080", true],
    ["tls:127.0.0.1:1080?protocols=http", true],
    ["127.0.0.1:1080 [::1]:1080 unix:/run/socks", true],
    ["0.0.0.0:1080", false],
    ["[::]:1080", false],
    ["10.0.0.1:1080", false],
    ["proxy.example:1080", false],
    ["localhost.example:1080", false],
    ["127.0.0.1:1080 10.0.0.1:1080", false],
    ["tls:0.0.0.0:1080?protocols=http", false],
    ["systemd", false],
    ["systemd:socks", false]
  ])("on %s: %s", (texts, expected) => {
    assert.strictEqual(Reach.allowsPrivateTargets(listening(texts)), expected)
    assert.isTrue(Reach.allowsPrivateTargets(listening(texts, "allow")))
    assert.isFalse(Reach.allowsPrivateTargets(listening(texts, "deny")))
  })

  it.each([
    [0o600, true],
    [0o700, true],
    [0o620, false],
    [0o660, false],
    [0o606, false],
    [0o666, false]
  ])("in a socket of mode %o: %s", (unixMode, expected) => {
    const values = { ...listening("unix:/run/socks"), unixMode }
    assert.strictEqual(Reach.allowsPrivateTargets(values), expected)
  })

  it.each([
    [ListenAddress.systemd(undefined, true), true],
    [ListenAddress.tls(ListenAddress.systemd("socks", true)), true],
    [ListenAddress.systemd("socks", false), false]
  ])("on %o, by what was passed: %s", (at, expected) => {
    assert.strictEqual(Reach.allowsPrivateTargets({ ...Config.defaults, listen: [at] }), expected)
  })

  it("not behind a proxy with clients of other machines", () => {
    const proxyProtocolFrom = [Option.getOrThrow(Parsers.network("127.0.0.1"))]
    assert.isFalse(Reach.allowsPrivateTargets({ ...listening("127.0.0.1:1080"), proxyProtocolFrom }))
  })
})
