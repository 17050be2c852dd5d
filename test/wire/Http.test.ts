/**
 * The meanings of requests' parts, one by one.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import * as Http from "../../src/wire/Http.ts"
import * as HttpFields from "../../src/wire/HttpFields.ts"
import * as Target from "../../src/wire/Target.ts"
import { holds } from "../support/property.ts"

const head = (method: string, target: string, ...fields: Http.Fields): Http.Head => ({
  method,
  target,
  version: "1.1",
  fields: [["Host", "x"], ...fields]
})

/** Target and path, or the reason why not. */
const goes = (method: string, target: string): string => {
  const destination = Http.destination(head(method, target))
  if (Result.isFailure(destination)) return destination.failure._tag
  const { success } = destination
  return `${Target.format(success.target)} ${success._tag === "Tunnel" ? "" : success.path}`.trim()
}

describe("destination", () => {
  it.each([
    ["GET", "http://target.example/", "target.example:80 /"],
    ["GET", "HTTP://TARGET.example", "target.example:80 /"],
    ["GET", "http://target.example:8080/a/../b?c#".slice(0, -1), "target.example:8080 /a/../b?c"],
    ["GET", "http://target.example?q=http://x/", "target.example:80 /?q=http://x/"],
    ["GET", "http://target.example:/", "target.example:80 /"],
    ["GET", "http://[2001:db8::1]:81/x", "[2001:db8::1]:81 /x"],
    ["GET", "http://192.0.2.1/x", "192.0.2.1:80 /x"],
    ["OPTIONS", "http://target.example", "target.example:80 *"],
    ["OPTIONS", "http://target.example/", "target.example:80 /"],
    ["CONNECT", "target.example:443", "target.example:443"],
    ["CONNECT", "[2001:db8::1]:443", "[2001:db8::1]:443"],
    ["CONNECT", "target.example:", "MalformedRequest"],
    ["CONNECT", ":443", "InvalidTarget"],
    ["CONNECT", "/", "MalformedRequest"],
    ["GET", "https://target.example/", "MalformedRequest"],
    ["GET", "target.example:80", "MalformedRequest"],
    ["GET", "http:/target.example/", "MalformedRequest"],
    ["GET", "http://a@target.example/", "MalformedRequest"],
    ["GET", "http://target.example:123456/", "MalformedRequest"],
    ["GET", "http://2001:db8::1/", "MalformedRequest"],
    ["GET", "http://0x7f.1/", "InvalidTarget"],
    ["GET", "/", "NotForProxy"],
    ["OPTIONS", "*", "NotForProxy"]
  ])("%s %s: %s", (method, target, expected) => {
    assert.strictEqual(goes(method, target), expected)
  })

  it("is accepted only for http URLs", () => {
    holds(
      fc.property(fc.string({ unit: "binary-ascii" }), (target) => {
        const destination = Http.destination(head("GET", target))
        if (Result.isSuccess(destination)) assert.match(target, /^http:\/\//i)
      })
    )
  })
})

describe("basic", () => {
  const bytes = (text: string) => new TextEncoder().encode(text)

  it("gives the bytes on both sides of the first colon", () => {
    holds(
      fc.property(
        fc.uint8Array({ maxLength: 255 }).map((name) => name.filter((byte) => byte !== 0x3a)),
        fc.uint8Array({ maxLength: 255 }),
        (username, password) => {
          const token = Buffer.from([...username, 0x3a, ...password]).toString("base64")
          const read = Result.getOrThrow(Http.basic(`bAsIc ${token}`))
          assert.deepStrictEqual([[...read.username], [...read.password]], [[...username], [...password]])
        }
      )
    )
  })

  it.each([
    "Basic",
    "Basic !",
    "Bearer YTpi",
    `Basic ${btoa("no colon")}`,
    "Basic YTpi YTpi",
    `Basic ${btoa(`a:${"b".repeat(256)}`)}`,
    // Whoever compares only so much of a password must not get more.
    `Basic ${btoa(`alice:secret${"\0".repeat(256)}`)}`
  ])("takes no %s", (value) => {
    assert.isTrue(Result.isFailure(Http.basic(value)))
  })

  it("takes any case of the scheme, and more than one space", () => {
    const read = Result.getOrThrow(Http.basic("BASIC   YTpi"))
    assert.deepStrictEqual([read.username, read.password], [bytes("a"), bytes("b")])
  })
})

describe("fields", () => {
  const target = Result.getOrThrow(Target.fromName(new TextEncoder().encode("target.example"), 80))
  const passed = (...fields: Http.Fields) =>
    HttpFields.request(head("GET", "http://target.example/", ...fields), target, "me")

  it("are passed on in order, without those for this connection and this proxy", () => {
    const kept: Http.Fields = [
      ["Cookie", "a"],
      ["cookie", "b"],
      ["X", ""]
    ]
    const dropped = [
      ...["Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "TE", "Upgrade"],
      ...["proxy-authorization", "Proxy-Authenticate"]
    ].map((name) => [name, "z"] as const)
    assert.deepStrictEqual(passed(...dropped, ...kept), [
      ["Host", "target.example"],
      ...kept,
      ["Via", "1.1 me"]
    ])
  })

  it("lose the fields that Connection names, but never the length of the body", () => {
    const names = passed(
      ["Connection", "A,  b ,content-length"],
      ["connection", "c, host"],
      ["a", "1"],
      ["B", "2"],
      ["C", "3"],
      ["D", "4"],
      ["Content-Length", "5"]
    ).map(([name]) => name)
    assert.deepStrictEqual(names, ["Host", "D", "Via", "Content-Length"])
  })

  it("show whether a request has passed this server before", () => {
    const via = (value: string) => HttpFields.hasPassed([value], "me")
    assert.isTrue(via("1.1 me"))
    assert.isTrue(via("1.0 other (x), HTTP/1.1  me (y)"))
    assert.isFalse(via("1.1 men, 1.1 other"))
    assert.isFalse(via("me"))
  })
})

it("a list is read in linear time", () => {
  const blank = " ".repeat(60_000)
  const fields = [["Connection", `a${blank}b ,\tclose`]] as const
  const start = performance.now()
  assert.deepStrictEqual(Http.options(fields, "connection"), [`a${blank}b`, "close"])
  assert.isBelow(performance.now() - start, 200)
})

it("an authority that is remembered is that of the same text, and has its own default port", () => {
  const read = Http.remembering()
  const reads = (text: string, port?: number) => Result.map(read(text, port), Target.format)
  for (const text of ["a.example", "a.example", "b.example", "a.example:81", "A.example", "a.example"]) {
    assert.deepStrictEqual(
      reads(text, 80),
      Result.succeed(text.includes(":") ? text : `${text.toLowerCase()}:80`)
    )
    assert.strictEqual(Result.isFailure(reads(text)), !text.includes(":"))
    assert.isTrue(Result.isFailure(reads("a@b", 80)))
  }
})
