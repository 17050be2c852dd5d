/**
 * SOCKS5 messages against RFC 1928 and RFC 1929: what decodes, what is only
 * unfinished, what is wrong, and the frames that go out.
 */
import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { type Decoder, isIncomplete } from "../../src/wire/Decoder.ts"
import * as Socks5 from "../../src/wire/Socks5.ts"
import * as Target from "../../src/wire/Target.ts"
import { fromHex, hex } from "../support/bytes.ts"
import { decodeWhole } from "../support/decoding.ts"
import * as messages from "../support/messages.ts"
import { holds } from "../support/property.ts"

const field = fc.uint8Array({ minLength: 1, maxLength: 255 })
const port = fc.integer({ min: 1, max: 65_535 })
const label = fc.stringMatching(/^[a-z_][a-z0-9_-]{0,40}[a-z0-9_]$/)
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."))
const octets = (length: number) => fc.array(fc.nat(255), { minLength: length, maxLength: length })

const failureOf = (decoder: Decoder<unknown, { readonly _tag: string }>, bytes: string): string => {
  const result = decoder(fromHex(bytes))
  return Result.isFailure(result) ? result.failure._tag : "success"
}

describe("Socks5", () => {
  it("reads a greeting back, whatever it offers", () => {
    const methods = fc.uint8Array({ maxLength: 255 })
    holds(
      fc.property(methods, fc.uint8Array(), (offered, behind) => {
        assert.deepStrictEqual(
          decodeWhole(Socks5.greeting, messages.greeting(...offered), behind),
          Uint8Array.from(offered)
        )
      })
    )
  })

  it("reads greetings of 0 and of 255 methods", () => {
    const all = Array.from({ length: 255 }, (_, i) => i)
    for (const offered of [[], all]) {
      assert.deepStrictEqual(
        [...decodeWhole(Socks5.greeting, messages.greeting(...offered), Uint8Array.of(5))],
        offered
      )
    }
  })

  it("reads credentials back, whatever bytes they are", () => {
    holds(
      fc.property(field, field, fc.uint8Array(), (username, password, behind) => {
        const message = [0x01, username.length, ...username, password.length, ...password]
        assert.deepStrictEqual(decodeWhole(Socks5.credentials, message, behind), {
          username: Uint8Array.from(username),
          password: Uint8Array.from(password)
        })
      })
    )
  })

  it("reads credentials of 255 bytes each, NULs among them", () => {
    const longest = new Uint8Array(255)
    const { username, password } = decodeWhole(
      Socks5.credentials,
      [0x01, 255, ...longest, 255, ...longest],
      Uint8Array.of(0)
    )
    assert.deepStrictEqual([username, password], [longest, longest])
  })

  it("reads a request for a name back", () => {
    holds(
      fc.property(name, port, fc.nat(255), fc.uint8Array(), (host, port, command, behind) => {
        const decoded = decodeWhole(Socks5.request, messages.request(host, port, command), behind)
        assert.strictEqual(decoded.command, command)
        assert.strictEqual(Target.format(Result.getOrThrow(decoded.target)), `${host}:${port}`)
      })
    )
  })

  it("reads a request for an address back", () => {
    holds(
      fc.property(fc.oneof(octets(4), octets(16)), port, fc.uint8Array(), (address, port, behind) => {
        const decoded = decodeWhole(Socks5.request, messages.request(address, port), behind)
        const target = Result.getOrThrow(decoded.target)
        const expected =
          address.length === 4
            ? NetAddress.ipv4FromBytesUnsafe(Uint8Array.from(address))
            : NetAddress.toCanonical(NetAddress.ipv6FromBytesUnsafe(Uint8Array.from(address)))
        assert.deepStrictEqual(target, { host: expected, port })
      })
    )
  })

  it("reads the whole request with a name of 0 or 255 bytes, and refuses only the target", () => {
    for (const length of [0, 255]) {
      const message = [0x05, 0x01, 0x00, 0x03, length, ...new Uint8Array(length).fill(0x61), 0x00, 0x50]
      const { target } = decodeWhole(Socks5.request, message, Uint8Array.of(0))
      assert.isTrue(Result.isFailure(target) && target.failure._tag === "InvalidTarget")
    }
  })

  it("ignores RSV", () => {
    holds(
      fc.property(fc.nat(255), (rsv) => {
        const message = messages.request("192.0.2.1", 80)
        const result = Socks5.request(Uint8Array.from(message.with(2, rsv)))
        assert.deepStrictEqual(result, Socks5.request(Uint8Array.from(message)))
      })
    )
  })

  it("shares no memory with the bytes it read", () => {
    const bytes = Uint8Array.of(0x01, 0x01, 0x61, 0x01, 0x62)
    const { value } = Result.getOrThrow(Socks5.credentials(bytes))
    bytes.fill(0)
    assert.deepStrictEqual([[...value.username], [...value.password]], [[0x61], [0x62]])
  })

  it("never throws, and has the same result when more bytes follow", () => {
    const decoders: ReadonlyArray<Decoder<unknown, { readonly _tag: string }>> = [
      Socks5.greeting,
      Socks5.credentials,
      Socks5.request
    ]
    // Likely first bytes, so that noise gets past the version.
    const noise = fc.tuple(
      fc.array(fc.constantFrom(0, 1, 2, 3, 4, 5), { maxLength: 6 }),
      fc.uint8Array({ maxLength: 300 })
    )
    holds(
      fc.property(fc.constantFrom(...decoders), noise, fc.uint8Array(), (decoder, [head, tail], behind) => {
        const bytes = Uint8Array.of(...head, ...tail)
        const now = decoder(bytes)
        if (Result.isFailure(now) && isIncomplete(now.failure)) return
        if (Result.isSuccess(now)) assert.isAtMost(now.success.size, bytes.length)
        const later = decoder(Uint8Array.of(...bytes, ...behind))
        assert.deepStrictEqual(later, now)
      }),
      { numRuns: 300 }
    )
  })

  it("reports a malformed message at its first wrong byte", () => {
    for (const first of ["00", "04", "06", "16", "47", "ff"]) {
      assert.strictEqual(failureOf(Socks5.greeting, first), "UnknownProtocol")
    }
    for (const bytes of ["00", "02", "05", "01 00", "01 01 61 00"]) {
      assert.strictEqual(failureOf(Socks5.credentials, bytes), "MalformedCredentials")
    }
    for (const bytes of ["00", "01", "04"]) {
      assert.strictEqual(failureOf(Socks5.request, bytes), "MalformedRequest")
    }
    for (const addressType of ["00", "02", "05", "ff"]) {
      assert.strictEqual(failureOf(Socks5.request, `05 01 00 ${addressType}`), "AddressTypeNotSupported")
    }
  })

  it("writes method selections and statuses", () => {
    assert.strictEqual(hex(Socks5.methodSelection(Socks5.Method.NoAuthentication)), "05 00")
    assert.strictEqual(hex(Socks5.methodSelection(Socks5.Method.UsernamePassword)), "05 02")
    assert.strictEqual(hex(Socks5.methodSelection(Socks5.Method.NoneAcceptable)), "05 ff")
    assert.strictEqual(hex(Socks5.credentialsStatus(0x00)), "01 00")
    assert.strictEqual(hex(Socks5.credentialsStatus(0x01)), "01 01")
  })

  it.each([
    ["192.0.2.1:8080", "05 00 00 01 c0 00 02 01 1f 90"],
    ["[2001:db8::1]:65535", "05 00 00 04 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 ff ff"],
    ["[::ffff:192.0.2.1]:255", "05 00 00 01 c0 00 02 01 00 ff"],
    ["0.0.0.0:0", "05 00 00 01 00 00 00 00 00 00"],
    ["[::]:1", "05 00 00 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01"]
  ])("writes a reply from %s", (bound, frame) => {
    const address = NetAddress.inetAddressFromStringUnsafe(bound)
    assert.strictEqual(hex(Socks5.reply(Socks5.ReplyCode.Succeeded, address)), frame)
  })

  it("writes a failure without a bound address", () => {
    for (const code of Object.values(Socks5.ReplyCode)) {
      assert.deepStrictEqual([...Socks5.reply(code, Socks5.unbound)], messages.reply(code))
    }
  })
})
