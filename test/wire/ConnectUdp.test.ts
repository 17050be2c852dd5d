/**
 * The target in the path of CONNECT-UDP.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as ConnectUdp from "../../src/wire/ConnectUdp.ts"
import * as Target from "../../src/wire/Target.ts"

const target = (path: string) =>
  Result.match(ConnectUdp.target(path), {
    onFailure: ({ _tag }) => _tag,
    onSuccess: Target.format
  })

describe("target", () => {
  for (const [path, expected] of [
    ["/.well-known/masque/udp/192.0.2.1/443/", "192.0.2.1:443"],
    ["/.well-known/masque/udp/192.0.2.1/443", "192.0.2.1:443"],
    ["/.well-known/masque/udp/2001%3Adb8%3A%3A1/53/", "[2001:db8::1]:53"],
    ["/.well-known/masque/udp/Target%2Eexample/53/", "target.example:53"],
    ["/.well-known/masque/udp//53/", "MalformedRequest"],
    ["/.well-known/masque/udp/a/53/x", "MalformedRequest"],
    ["/.well-known/masque/udp/a/53/?x", "MalformedRequest"],
    ["/.well-known/masque/udp/a/0/", "MalformedRequest"],
    ["/.well-known/masque/udp/a/65536/", "MalformedRequest"],
    ["/.well-known/masque/udp/a%2/53/", "MalformedRequest"],
    ["/.well-known/masque/udp/a%00b/53/", "InvalidTarget"],
    ["/.well-known/masque/udp/a%2Fb/53/", "InvalidTarget"],
    ["/.well-known/masque/udp/%ff/53/", "InvalidTarget"]
  ] as const) {
    it(`of ${path} is ${expected}`, () => assert.strictEqual(target(path), expected))
  }
})
