import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import * as UpstreamUrl from "../../src/routes/UpstreamUrl.ts"
import * as Target from "../../src/wire/Target.ts"
import { holds } from "../support/property.ts"

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

const read = (url: string) =>
  Option.getOrUndefined(
    Option.map(UpstreamUrl.fromString(url), ({ place, credentials, ...rest }) => {
      const known = credentials && Redacted.value(credentials)
      return {
        ...rest,
        place: "path" in place ? place.path : Target.format(place),
        login: known && [text(known.username), text(known.password)]
      }
    })
  )

const plain = {
  ...{ isTls: false, sendsNames: false, isPipelined: false, carriesDatagrams: true },
  ...{ files: {}, login: undefined }
}

describe("the URL of an upstream", () => {
  it("has a protocol, a place and a login", () => {
    assert.deepStrictEqual(read("socks5://alice:secret@proxy.example:1081"), {
      ...plain,
      kind: "socks5",
      place: "proxy.example:1081",
      login: ["alice", "secret"]
    })
    assert.deepStrictEqual(read("HTTP://[2001:db8::1]:3128/"), {
      ...plain,
      kind: "http",
      place: "[2001:db8::1]:3128"
    })
    assert.deepStrictEqual(read("socks5://a%40b:%25%3A%2F@unix:/run/proxy@1.sock"), {
      ...plain,
      kind: "socks5",
      place: "/run/proxy@1.sock",
      login: ["a@b", "%:/"]
    })
  })

  it("has the port of its protocol, unless it names another", () => {
    const places = ["socks5://h", "socks4://h", "http://h", "https://h", "socks5+tls://h", "https://[::1]"]
    assert.deepStrictEqual(
      places.map((url) => read(url)?.place),
      ["h:1080", "h:1080", "h:80", "h:443", "h:1080", "[::1]:443"]
    )
  })

  it("has the resolver of names, and other options", () => {
    assert.isTrue(read("socks5h://h")?.sendsNames)
    assert.isTrue(read("socks4a://h")?.sendsNames)
    assert.isFalse(read("socks5h://h?names=here")?.sendsNames)
    assert.isTrue(read("https://h?names=upstream&pipelined=true")?.sendsNames)
    assert.isTrue(read("https://h?names=upstream&pipelined=true")?.isPipelined)
    // Not encrypted, datagrams go to an upstream of TLS only if that is said.
    assert.deepStrictEqual(
      ["socks5://h", "socks5://h?udp=false", "socks5+tls://h", "socks5+tls://h?udp=true"].map(
        (url) => read(url)?.carriesDatagrams
      ),
      [true, false, false, true]
    )
    assert.deepStrictEqual(read("https://h?ca=/etc/ca%26b.pem&cert=c.pem&key=k.pem")?.files, {
      ca: "/etc/ca&b.pem",
      cert: "c.pem",
      key: "k.pem"
    })
  })

  it("is refused if it has no clear meaning", () => {
    const wrong = [
      ...["", "proxy:1080", "ftp://h", "socks5:/h", "socks5://", "socks5://h:0", "socks5://h:70000"],
      // No login that the protocol can carry.
      ...[
        "socks5://alice@h",
        "socks5://:secret@h",
        "socks4://a:b@h",
        "http://a%3Ab:c@h",
        "http://a:%0d%0a@h"
      ],
      ...["socks5://a:b%zz@h", `socks5://${"a".repeat(256)}:b@h`],
      ...["http://h/path", "http://h#x", "http://h?x=1", "http://h?ca=/etc/ca.pem", "https://h?cert=c.pem"],
      ...[
        "socks5://0.0.0.0:1080",
        "socks5://[::]:1",
        "socks5://unix:relative",
        "socks5://systemd",
        "socks5://tls:h:1"
      ]
    ]
    for (const url of wrong) assert.isUndefined(read(url), url)
  })

  it("is shown without its password and options", () => {
    const shown = (url: string) =>
      Option.getOrThrow(Option.map(UpstreamUrl.fromString(url), UpstreamUrl.shown))
    assert.strictEqual(shown("socks5h://a%40b:secret@h:1?pipelined=true"), "socks5://a%40b@h:1")
    assert.strictEqual(shown("https://h?ca=/etc/ca.pem"), "https://h:443")
    assert.strictEqual(shown("socks4+tls://unix:/run/s"), "socks4+tls://unix:/run/s")
  })

  it("carries any login that its protocol can", () => {
    const field = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 })
    holds(
      fc.property(field, field, (user, password) => {
        const url = `socks5://${encodeURIComponent(user)}:${encodeURIComponent(password)}@h`
        assert.deepStrictEqual(read(url)?.login, [user, password])
      })
    )
  })
})
