/**
 * How listen addresses, permissions and networks are written.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import * as Settings from "../../src/cli/Settings.ts"
import * as ListenAddress from "../../src/config/ListenAddress.ts"
import * as Parsers from "../../src/config/Parsers.ts"
import * as MemoryFiles from "../support/files.ts"

describe("a listen address", () => {
  const good = [
    ["127.0.0.1:1080", "HostPort"],
    ["[::1]:0", "HostPort"],
    ["localhost:1080", "HostPort"],
    ["unix:/run/socks.sock", "UnixPathAddress"],
    ["unix:/a b,c:d", "UnixPathAddress"],
    [`unix:/${"x".repeat(106)}`, "UnixPathAddress"],
    ["systemd", "Systemd"],
    ["systemd:web proxy", "Systemd"],
    ["tls:0.0.0.0:1443", "Tls"],
    ["tls:unix:/run/socks.sock", "Tls"],
    ["tls:systemd", "Tls"],
    ["tls:systemd:web", "Tls"],
    ["127.0.0.1:1080?protocols=socks5+http", "WithOptions"],
    ["tls:[::1]:1443?protocols=http&udp=false", "WithOptions"],
    ["unix:/run/socks.sock?udp=true", "WithOptions"],
    ["127.0.0.1:1080?wait=30s", "WithOptions"],
    ["tls:[::1]:1443?wait=1500ms", "WithOptions"],
    ["unix:/run/what?.sock", "UnixPathAddress"]
  ] as const
  for (const [text, tag] of good) {
    it(`can be ${text.slice(0, 30)}`, () => {
      const at = Option.getOrThrow(ListenAddress.fromString(text))
      assert.strictEqual(at._tag, tag)
      assert.strictEqual(ListenAddress.format(at), text)
    })
  }

  const bad = [
    "127.0.0.1:1080?",
    "127.0.0.1:1080?udp",
    "127.0.0.1:1080?udp=maybe",
    "127.0.0.1:1080?protocols=",
    "127.0.0.1:1080?protocols=socks6",
    "127.0.0.1:1080?open=true",
    "127.0.0.1:1080?wait=soon",
    "unix:/run/socks.sock?wait=30s",
    "tls:systemd?wait=30s",
    "127.0.0.1?udp=false",
    "",
    "1080",
    "127.0.0.1",
    "127.0.0.1:65536",
    "unix:",
    "unix:/",
    "unix:socks.sock",
    "unix:/run/",
    "unix:/a\0b",
    `unix:/${"x".repeat(107)}`,
    `unix:/${"ü".repeat(54)}`,
    "systemd:",
    "systemd:a:b",
    "systemd:ü",
    "tls:",
    "tls:tls:127.0.0.1:1080",
    "TLS:127.0.0.1:1080",
    "http:127.0.0.1:1080"
  ]
  for (const text of bad) {
    it(`cannot be ${JSON.stringify(text.slice(0, 30))}`, () => {
      assert.isTrue(Option.isNone(ListenAddress.fromString(text)))
    })
  }

  it("is the same place without TLS", () => {
    const at = Option.getOrThrow(ListenAddress.fromString("tls:[::1]:1080"))
    assert.strictEqual(
      ListenAddress.format(ListenAddress.placeOf(ListenAddress.endpointOf(at))),
      "[::1]:1080"
    )
  })
})

describe("a setting that cannot be read", () => {
  const messages = [
    [
      "listen",
      "unix:relative",
      '--listen: "unix:relative" is not HOST:PORT, such as 127.0.0.1:1080 or [::1]:1080, nor unix:/path, systemd or tls:HOST:PORT'
    ],
    ["unixMode", "rw", '--unix-mode: "rw" is not file permissions in octal, such as 0600 or 0660'],
    ["tlsCert", "", '--tls-cert: "" is not the path of a file'],
    [
      "proxyProtocolFrom",
      "10.0.0.1/8",
      '--proxy-protocol-from: "10.0.0.1/8" is not a network such as 10.0.0.0/8 or 2001:db8::/32, without bits behind its prefix, nor an address'
    ]
  ] as const
  for (const [name, text, message] of messages) {
    it.effect(message, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Settings.read({ [name]: [text] })).pipe(
          Effect.provide(MemoryFiles.layer({}))
        )
        assert.strictEqual(error.message, message)
      })
    )
  }
})

describe("permissions", () => {
  it("are octal", () => {
    assert.deepStrictEqual(Parsers.mode("0660"), Option.some(0o660))
    assert.deepStrictEqual(Parsers.mode("600"), Option.some(0o600))
    for (const text of ["", "0o600", "1777", "680", "60", "00600"]) {
      assert.isTrue(Option.isNone(Parsers.mode(text)), text)
    }
  })
})

describe("a network", () => {
  it("is a prefix, or a single address", () => {
    const format = (text: string) =>
      Option.getOrUndefined(Option.map(Parsers.network(text), IpNetwork.format))
    assert.strictEqual(format("10.0.0.0/8"), "10.0.0.0/8")
    assert.strictEqual(format("2001:db8::/32"), "2001:db8::/32")
    assert.strictEqual(format("192.0.2.1"), "192.0.2.1/32")
    assert.strictEqual(format("::1"), "::1/128")
    for (const text of ["", "10.0.0.1/8", "10.0.0.0/33", "localhost", "10/8", "*"]) {
      assert.isUndefined(format(text), text)
    }
  })
})
