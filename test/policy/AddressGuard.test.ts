/**
 * What the guard lets through, by its settings.
 */
import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as AddressGuard from "../../src/policy/AddressGuard.ts"
import * as AllowTarget from "../../src/policy/AllowTarget.ts"
import { LocalAddresses } from "../../src/policy/LocalAddresses.ts"
import { clientAddress, serverAddress } from "../../src/testing/index.ts"
import * as Target from "../../src/wire/Target.ts"
import { utf8 } from "../support/bytes.ts"

const guard = (
  privateTargets: "allow" | "deny",
  allow = "",
  deny = "",
  local: ReadonlyArray<string> = []
): ReturnType<typeof AddressGuard.make> => {
  const patterns = (text: string) =>
    text
      .split(" ")
      .filter((pattern) => pattern !== "")
      .map((pattern) => Option.getOrThrow(AllowTarget.fromString(pattern)))
  return AddressGuard.make({
    privateTargets: privateTargets === "allow",
    allow: patterns(allow),
    deny: patterns(deny),
    local: LocalAddresses.make(() => local.map(NetAddress.ipFromStringUnsafe), 0)
  })
}

/** What becomes of asking for a host, whose address this is if it is a name. */
const judged = (
  judge: ReturnType<typeof AddressGuard.make>,
  host: string,
  port: number,
  address?: string
) => {
  const target = Result.getOrThrow(Target.fromName(utf8(host), port))
  const access = {
    identity: { user: undefined },
    client: clientAddress.address,
    listener: NetAddress.formatInet(serverAddress),
    protocol: "SOCKS5",
    command: "CONNECT",
    target
  } as const
  const found = address === undefined ? target.host : NetAddress.ipFromStringUnsafe(address)
  const early = judge(access, undefined, 0)
  if (early.verdict === "deny") return `early: ${early.rule}: ${early.reason}`
  assert.strictEqual(early.verdict, "undecided")
  if (!NetAddress.isIpAddress(found)) return "undecided"
  const { verdict, rule, reason } = judge(access, found, 0)
  return reason === undefined ? `${verdict}: ${rule}` : `${verdict}: ${rule}: ${reason}`
}

const ok = "allow: none"
const opened = "allow: allow-target"
const guarded = (reason: string) => `deny: address guard: ${reason}`
const private10 = guarded("10.0.0.5 is private (RFC 1918)")
const named = (reason: string) => guarded(`an address of db.corp.example is ${reason}`)
const inTunnel = (address: string) => `deny: deny-target: ${address} is denied`
const loopback = named("loopback (RFC 1122)")
const metadata = named("the metadata service of AWS, Google Cloud, Azure and others")
const imds = guarded("169.254.169.254 is the metadata service of AWS, Google Cloud, Azure and others")
const wrapped = guarded(
  "64:ff9b::a9fe:a9fe is an address behind a translator (RFC 6052) that is the metadata service of " +
    "AWS, Google Cloud, Azure and others"
)

describe("AddressGuard", () => {
  it.each([
    ["deny", "8.8.8.8", ok],
    ["deny", "10.0.0.5", private10],
    ["deny", "127.0.0.1", guarded("127.0.0.1 is loopback (RFC 1122)")],
    ["deny", "::ffff:10.0.0.5", private10],
    ["deny", "169.254.169.254", imds],
    ["allow", "10.0.0.5", ok],
    ["allow", "127.0.0.1", ok],
    ["allow", "192.0.2.1", ok],
    ["allow", "64:ff9b::10.0.0.5", ok],
    ["allow", "169.254.169.254", imds],
    ["allow", "168.63.129.16", guarded("168.63.129.16 is the metadata service of Azure")],
    ["allow", "64:ff9b::169.254.169.254", wrapped],
    ["allow", "224.0.0.1", guarded("224.0.0.1 is multicast (RFC 5771)")],
    ["allow", "255.255.255.255", guarded("255.255.255.255 is broadcast (RFC 919)")],
    ["allow", "0.0.0.0", guarded("0.0.0.0 is unspecified (RFC 1122)")],
    ["allow", "::", guarded(":: is unspecified (RFC 4291)")]
  ] as const)("private targets %s: %s", (privateTargets, host, expected) => {
    assert.strictEqual(judged(guard(privateTargets), host, 80), expected)
    // However it was asked for, and without a word of where the name leads.
    const address = host.replace(/^::ffff:/, "")
    assert.strictEqual(
      judged(guard(privateTargets), "name.example", 80, address),
      expected.replace(/guard: \S+ is/, "guard: an address of name.example is")
    )
  })

  it.each([
    ["10.0.0.5", "10.0.0.5", 443, opened],
    ["10.0.0.0/8", "10.0.0.5", 443, opened],
    ["10.0.0.0/8:443", "10.0.0.5", 443, opened],
    ["10.0.0.0/8:443", "10.0.0.5", 80, private10],
    ["10.0.0.4", "10.0.0.5", 443, private10],
    ["*", "10.0.0.5", 443, opened],
    ["*:443", "10.0.0.5", 443, opened],
    ["*:80", "10.0.0.5", 443, private10],
    ["name.example", "10.0.0.5", 443, private10],
    // An address in another's clothes is another address.
    ["10.0.0.0/8", "64:ff9b::10.0.0.5", 443, "deny"],
    ["64:ff9b::/96", "64:ff9b::10.0.0.5", 443, opened],
    ["0.0.0.0/0 ::/0 *", "224.0.0.1", 443, "deny"],
    ["255.255.255.255 0.0.0.0", "255.255.255.255", 443, "deny"],
    ["0.0.0.0 ::", "0.0.0.0", 443, "deny"],
    ["* 169.254.0.0/16 169.254.169.254/31", "169.254.169.254", 80, imds],
    ["169.254.169.254", "169.254.169.254", 80, opened],
    ["169.254.169.254:80", "169.254.169.254", 80, opened],
    ["169.254.169.254:443", "169.254.169.254", 80, imds],
    ["169.254.169.254", "64:ff9b::169.254.169.254", 80, wrapped],
    ["64:ff9b::169.254.169.254", "64:ff9b::169.254.169.254", 80, opened]
  ])("allow-target %s opens %s at %d: %s", (allow, host, port, expected) => {
    assert.include(judged(guard("deny", allow), host, port), expected)
  })

  it.each([
    ["db.corp.example", "10.0.0.5", opened],
    ["*.corp.example", "10.0.0.5", opened],
    ["*.corp.example:443", "10.0.0.5", opened],
    ["*.corp.example:80", "10.0.0.5", named("private (RFC 1918)")],
    ["*.db.corp.example", "10.0.0.5", named("private (RFC 1918)")],
    ["corp.example", "10.0.0.5", named("private (RFC 1918)")],
    ["10.0.0.0/8", "10.0.0.5", opened],
    [
      "*.corp.example",
      "169.254.169.254",
      named("the metadata service of AWS, Google Cloud, Azure and others")
    ],
    // Whoever says where a name leads does not open what is the machine's own business.
    ["db.corp.example", "169.254.169.254", metadata],
    ["local:db.corp.example", "169.254.169.254", metadata],
    ["db.corp.example", "168.63.129.16", named("the metadata service of Azure")],
    ["169.254.169.254", "169.254.169.254", opened],
    ["db.corp.example", "127.0.0.1", loopback],
    ["*.corp.example", "127.0.0.1", loopback],
    ["**", "127.0.0.1", loopback],
    ["*", "127.0.0.1", loopback],
    ["* localhost", "127.0.0.1", loopback],
    ["db.corp.example", "::1", named("loopback (RFC 4291)")],
    ["db.corp.example", "169.254.1.1", named("link-local (RFC 3927)")],
    ["db.corp.example", "fe80::1", named("link-local (RFC 4291)")],
    ["db.corp.example", "64:ff9b::7f00:1", "deny"],
    ["local:db.corp.example", "127.0.0.1", opened],
    ["local:db.corp.example:443", "::1", opened],
    ["local:db.corp.example:80", "127.0.0.1", loopback],
    ["local:*.corp.example", "169.254.1.1", opened],
    ["local:*", "fe80::1", opened],
    ["127.0.0.0/8", "127.0.0.1", opened],
    ["db.corp.example", "224.0.0.1", "deny"],
    ["local:db.corp.example", "224.0.0.1", "deny"]
  ])("allow-target %s opens a name with the address %s: %s", (allow, address, expected) => {
    assert.include(judged(guard("deny", allow), "db.corp.example", 443, address), expected)
  })

  it.each([
    ["localhost", "localhost", "127.0.0.1", opened],
    ["localhost", "localhost", "::1", opened],
    ["localhost:80", "localhost", "127.0.0.1", "deny"],
    ["*.localhost", "app.localhost", "::1", opened],
    ["app.localhost", "app.localhost", "127.0.0.1", opened],
    ["*", "localhost", "127.0.0.1", "deny"],
    ["localhost.example", "localhost.example", "127.0.0.1", "deny"],
    ["notlocalhost", "notlocalhost", "127.0.0.1", "deny"]
  ])("allow-target %s opens %s with the address %s: %s", (allow, host, address, expected) => {
    assert.include(judged(guard("deny", allow), host, 443, address), expected)
  })

  const machine = ["8.8.4.4", "10.0.0.7", "2606:4700::7", "127.0.0.1", "169.254.7.7", "169.254.169.254"]
  const own = (text: string) => guarded(`${text} is this machine's own`)
  it.each([
    ["", "8.8.4.4", own("8.8.4.4")],
    ["", "::ffff:8.8.4.4", own("8.8.4.4")],
    ["", "2606:4700::7", own("2606:4700::7")],
    ["", "10.0.0.7", own("10.0.0.7")],
    ["", "8.8.4.5", ok],
    ["", "2606:4700::8", ok],
    // By a translator or a tunnel, too.
    ["", "64:ff9b::808:404", "behind a translator (RFC 6052) that is this machine's own"],
    ["", "64:ff9b:1:808:4:400::", "behind a translator (RFC 8215) that is this machine's own"],
    ["", "2002:808:404::1", "at the end of a tunnel (RFC 3056) that is this machine's own"],
    ["", "2606:1::5efe:808:404", "at the end of a tunnel (RFC 5214) that is this machine's own"],
    ["8.8.4.4", "8.8.4.4", opened],
    ["8.8.4.4:443", "8.8.4.4", opened],
    ["8.8.4.4:80", "8.8.4.4", own("8.8.4.4")],
    ["8.8.4.4", "10.0.0.7", own("10.0.0.7")],
    ["8.8.4.0/24", "8.8.4.4", own("8.8.4.4")],
    ["10.0.0.0/8 *", "10.0.0.7", own("10.0.0.7")],
    ["10.0.0.0/8", "10.0.0.8", opened],
    ["local:*", "10.0.0.7", opened],
    ["2606:4700::7", "2606:4700::7", opened],
    ["2606:4700::/32", "2606:4700::7", own("2606:4700::7")],
    ["8.8.4.4", "64:ff9b::808:404", "that is this machine's own"],
    ["64:ff9b::808:404", "64:ff9b::808:404", opened],
    // These are told by their ranges.
    ["127.0.0.0/8", "127.0.0.1", opened],
    ["169.254.0.0/16", "169.254.7.7", opened],
    ["169.254.0.0/16", "169.254.169.254", imds]
  ])("allow-target '%s' on a machine that has %s: %s", (allow, host, expected) => {
    assert.include(judged(guard("deny", allow, "", machine), host, 443), expected)
  })

  it("denies no address of the machine if private targets are allowed, except metadata services", () => {
    for (const host of ["8.8.4.4", "10.0.0.7", "2606:4700::7", "64:ff9b::808:404"]) {
      assert.strictEqual(judged(guard("allow", "", "", machine), host, 443), ok)
    }
    assert.strictEqual(judged(guard("allow", "", "", machine), "169.254.169.254", 80), imds)
  })

  it("reports that a name leads to the machine, without the address", () => {
    const on = (allow: string) => judged(guard("deny", allow, "", machine), "db.corp.example", 443, "8.8.4.4")
    assert.strictEqual(on(""), named("this machine's own"))
    assert.strictEqual(on("db.corp.example"), named("this machine's own"))
    assert.strictEqual(on("8.8.4.4"), opened)
    assert.strictEqual(on("local:db.corp.example"), opened)
  })

  it.each([
    ["*:25", "mail.example", 25, undefined, "early: deny-target: *:25 is denied"],
    ["*:25", "8.8.8.8", 25, undefined, "early: deny-target: *:25 is denied"],
    ["*:25", "mail.example", 26, "8.8.8.8", ok],
    ["*", "mail.example", 26, "8.8.8.8", "early: deny-target: * is denied"],
    ["mail.example", "MAIL.example.", 26, undefined, "early: deny-target: mail.example is denied"],
    ["*.example:20-30", "mail.example", 26, undefined, "early: deny-target: *.example:20-30 is denied"],
    ["*.example", "example", 26, "8.8.8.8", ok],
    ["8.8.8.0/24", "mail.example", 26, "8.8.8.8", "deny: deny-target: an address of mail.example is denied"],
    ["8.8.8.0/24", "8.8.8.8", 26, undefined, "deny: deny-target: 8.8.8.8 is denied"],
    ["8.8.8.0/24", "64:ff9b::8.8.8.8", 26, undefined, "deny: deny-target: 64:ff9b::808:808 is denied"],
    ["8.8.8.0/24", "2002:101:101::5efe:808:808", 26, undefined, inTunnel("2002:101:101::5efe:808:808")],
    ["8.8.8.0/24", "2002:808:808::5efe:101:101", 26, undefined, inTunnel("2002:808:808::5efe:101:101")],
    ["8.8.8.0/24", "2001:0:101:101:0:5efe:808:808", 26, undefined, inTunnel("2001:0:101:101:0:5efe:808:808")],
    ["8.8.8.0/24", "64:ff9b:1::5efe:808:808", 26, undefined, inTunnel("64:ff9b:1::5efe:808:808")],
    ["8.8.8.0/24:80", "8.8.8.8", 26, undefined, ok],
    ["2606::/16", "2606::1", 26, undefined, "deny: deny-target: 2606::1 is denied"],
    ["2606::/16", "8.8.8.8", 26, undefined, ok],
    ["10.0.0.5", "10.0.0.5", 26, undefined, "deny: deny-target: 10.0.0.5 is denied"],
    ["169.254.169.254", "169.254.169.254", 26, undefined, "deny: deny-target: 169.254.169.254 is denied"]
  ])("deny-target %s: %s at %d with the address %s: %s", (deny, host, port, address, expected) => {
    assert.strictEqual(
      judged(guard("allow", "* 10.0.0.5 169.254.169.254", deny), host, port, address),
      expected
    )
  })

  it("decides nothing without a target", () => {
    const access = {
      identity: { user: undefined },
      client: undefined,
      listener: "unix:/run/socks",
      protocol: "SOCKS5",
      command: "ASSOCIATE",
      target: undefined
    } as const
    assert.strictEqual(guard("deny", "", "*")(access, undefined, 0).verdict, "undecided")
  })
})
