/**
 * The script of the proxy auto-config file, run as a browser runs it.
 */
import { createContext, Script } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as AutoConfigScript from "../../src/policy/AutoConfigScript.ts"
import { read } from "../support/rules.ts"

const asked = {
  proxy: "proxy.example:1080",
  isTls: false,
  client: NetAddress.ipFromStringUnsafe("203.0.113.7")
}

type Choose = (url: string) => string

/** What the script chooses for a URL, given its host as browsers do. */
const chooser = (script: string): Choose => {
  const context = createContext({})
  new Script(script).runInContext(context)
  return (url) =>
    new Script(
      `FindProxyForURL(${JSON.stringify(url)}, ${JSON.stringify(new URL(url).hostname)})`
    ).runInContext(context)
}

const choosing = (rules: ReadonlyArray<object>, who: Partial<typeof asked> = {}) =>
  chooser(AutoConfigScript.make(read(...rules)).script({ ...asked, ...who }))

const proxy = "PROXY proxy.example:1080"

describe("the proxy auto-config file", () => {
  it("sends all targets but the browser's own machine to the proxy, if there are no rules", () => {
    const choose = choosing([])
    for (const url of [
      "http://web.example/",
      "https://10.0.0.1:8443/x",
      "http://[2001:db8::1]/",
      "ws://intranet/"
    ]) {
      assert.strictEqual(choose(url), proxy, url)
    }
    for (const url of [
      "http://localhost:3000/",
      "http://app.localhost/",
      "http://127.0.0.1/",
      "http://[::1]:8080/"
    ]) {
      assert.strictEqual(choose(url), "DIRECT", url)
    }
    assert.strictEqual(choosing([], { isTls: true })("http://web.example/"), "HTTPS proxy.example:1080")
  })

  it("sends targets that a rule may allow to the proxy, and the rest directly", () => {
    const choose = choosing([
      { deny: true, to: "secret.example" },
      {
        allow: true,
        to: ["*.corp.example", "db.example:5000-5999", "10.0.0.0/8", "192.0.2.1:443", "2001:db8::/32"]
      },
      { allow: true, to: "api.example", ports: [443, "8000-8999"] }
    ])
    const expected: Record<string, boolean> = {
      "http://a.corp.example/": true,
      "http://A.B.Corp.Example./": true,
      "http://corp.example/": false,
      "http://evilcorp.example/": false,
      "http://secret.example/": false,
      "http://db.example:5432/": true,
      "http://db.example/": false,
      "http://10.255.0.1/": true,
      "http://11.0.0.1/": false,
      "https://192.0.2.1/": true,
      "http://192.0.2.1/": false,
      "https://api.example/": true,
      "http://user:secret@api.example:8080/?x=:443": true,
      "http://api.example/": false,
      "http://[2001:db8::1]/": false
    }
    for (const [url, isProxied] of Object.entries(expected)) {
      assert.strictEqual(choose(url), isProxied ? proxy : "DIRECT", url)
    }
    const names = choosing([{ allow: true, to: "**" }])
    assert.strictEqual(names("http://web.example/"), proxy)
    assert.strictEqual(names("http://192.0.2.1/"), "DIRECT")
    assert.strictEqual(choosing([{ allow: true }])("http://192.0.2.1/"), proxy)
  })

  it("leaves out rules about users, groups, listeners and other clients", () => {
    const rules = read(
      { allow: true, to: "users.example", users: "alice" },
      { allow: true, to: "groups.example", groups: "staff" },
      { allow: true, to: "listeners.example", listeners: "127.0.0.1:1080" },
      { allow: true, to: "clients.example", clients: "10.0.0.0/8" },
      { allow: true, to: "bind.example", commands: "bind" },
      { allow: true, to: "socks.example", protocols: "socks5" },
      { deny: true, to: "denied.example" },
      { allow: true, to: "open.example", clients: "203.0.113.0/24" }
    )
    const { script } = AutoConfigScript.make(rules)
    assert.deepStrictEqual(script(asked).match(/\w+\.example/g), ["proxy.example", "open.example"])
    const inside = script({ ...asked, client: NetAddress.ipFromStringUnsafe("::ffff:10.1.2.3") })
    assert.deepStrictEqual(inside.match(/\w+\.example/g), ["proxy.example", "clients.example"])
    assert.deepStrictEqual(script({ ...asked, client: undefined }).match(/\w+\.example/g), ["proxy.example"])
  })

  it("sends all targets to the proxy if the rules have more targets than a file may have", () => {
    const to = Array.from({ length: 2001 }, (_, i) => `host-${i}.example`)
    const { script, isCutShort } = AutoConfigScript.make(read({ allow: true, to }))
    assert.isTrue(isCutShort)
    assert.isBelow(script(asked).length, 1000)
    assert.strictEqual(chooser(script(asked))("http://other.example/"), proxy)
    const most = AutoConfigScript.make(read({ allow: true, to: to.slice(1) }))
    assert.isFalse(most.isCutShort)
    assert.isBelow(most.script(asked).length, 512 * 1024)
  })
})
