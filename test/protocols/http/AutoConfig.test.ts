/**
 * The proxy auto-config file as clients fetch it: without credentials, and where the settings say so.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Authenticator } from "../../../src/auth/Authenticator.ts"
import { connect, layer } from "../../../src/testing/index.ts"
import { message, receiveAll } from "../../support/http.ts"
import { read } from "../../support/rules.ts"

const authenticator = Authenticator.layerUsers([{ name: "alice", password: Redacted.make("secret") }])

const fetch = Effect.fnUntraced(function* (...lines: ReadonlyArray<string>) {
  const client = yield* connect
  yield* client.send([...message(lines)])
  yield* client.end
  return yield* receiveAll(client)
})

const served = layer({
  authenticator,
  config: { pac: "rules", rules: read({ allow: true, to: "web.example" }) }
})

describe("GET /proxy.pac", () => {
  it.effect("is answered with the file, to a client without credentials", () =>
    Effect.gen(function* () {
      for (const path of ["/proxy.pac", "/wpad.dat"]) {
        const { status, fields, body } = yield* fetch(`GET ${path} HTTP/1.1`, "Host: proxy.example:3128")
        assert.strictEqual(status, 200)
        assert.strictEqual(fields["content-type"], "application/x-ns-proxy-autoconfig")
        assert.strictEqual(fields.connection, "close")
        assert.notProperty(fields, "proxy-status")
        assert.strictEqual(Number(fields["content-length"]), body.length)
        assert.include(body, '"PROXY proxy.example:3128"')
        assert.include(body, '"web.example"')
      }
      const { body } = yield* fetch("HEAD /proxy.pac HTTP/1.0", "Host: [2001:DB8::1]")
      assert.strictEqual(body, "")
      assert.include(
        (yield* fetch("GET /proxy.pac HTTP/1.0", "Host: [2001:DB8::1]")).body,
        '"PROXY [2001:db8::1]:80"'
      )
    }).pipe(Effect.provide(served))
  )

  it.effect("refuses a Host that would be script, and other methods and paths", () =>
    Effect.gen(function* () {
      for (const host of [
        'a"+alert(1)+"',
        "a;SOCKS evil.example:1",
        "a b",
        "user@proxy.example",
        "[::1",
        "",
        "a:0x50"
      ]) {
        const { status, body } = yield* fetch("GET /proxy.pac HTTP/1.1", `Host: ${host}`)
        assert.strictEqual(status, 400, host)
        assert.notInclude(body, "FindProxyForURL")
      }
      for (const line of [
        "POST /proxy.pac",
        "GET /proxy.pac?x",
        "GET /proxy.pac/",
        "GET /",
        "GET /PROXY.PAC"
      ]) {
        assert.strictEqual((yield* fetch(`${line} HTTP/1.1`, "Host: proxy.example")).status, 400, line)
      }
      assert.strictEqual((yield* fetch("GET /proxy.pac HTTP/1.0")).status, 400)
    }).pipe(Effect.provide(served))
  )

  it.effect("is a request for a site if no file is served", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* fetch("GET /proxy.pac HTTP/1.1", "Host: proxy.example")).status, 400)
    }).pipe(Effect.provide(layer({ authenticator })))
  )
})
