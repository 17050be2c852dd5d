/**
 * Which targets are the server itself.
 */
import { networkInterfaces } from "node:os"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import { ConnectionRefused } from "../../src/Errors.ts"
import * as AllowTarget from "../../src/policy/AllowTarget.ts"
import * as LoopGuard from "../../src/server/LoopGuard.ts"

/** What becomes of dialling this with a server that listens there. */
const dialled = Effect.fnUntraced(function* (
  listeners: ReadonlyArray<string>,
  target: string,
  port: number,
  allow: ReadonlyArray<string> = []
) {
  const tried: Array<string> = []
  const { connect } = LoopGuard.dialer(
    {
      connect: (address) => {
        tried.push(NetAddress.formatIp(address))
        return Effect.fail(new ConnectionRefused())
      }
    },
    () => listeners.map(NetAddress.inetAddressFromStringUnsafe),
    allow.map((text) => Option.getOrThrow(AllowTarget.fromString(text)))
  )
  const { _tag } = yield* Effect.flip(connect(NetAddress.ipFromStringUnsafe(target), port))
  return _tag === "NotAllowed" ? "itself" : tried
}, Effect.scoped)

/** What a policy that allows everything, or reports, says then. */
const judged = (allow: string, command: "CONNECT" | "FORWARD" | "BIND" | "ASSOCIATE", host: string) =>
  LoopGuard.policy(
    { judge: () => Effect.succeed({ verdict: "allow", rule: "anything", isReport: true }) },
    () => [NetAddress.inetAddressFromStringUnsafe("127.0.0.1:1080")],
    [Option.getOrThrow(AllowTarget.fromString(allow))]
  ).judge(
    {
      ...{ identity: { user: undefined }, client: undefined, listener: "127.0.0.1:1080", protocol: "SOCKS5" },
      command,
      target: { host: NetAddress.ipFromStringUnsafe(host), port: 1080 }
    },
    NetAddress.ipFromStringUnsafe(host)
  )

const [elsewhere = "127.0.0.1"] = Object.values(networkInterfaces())
  .flatMap((all) => all ?? [])
  .filter(({ family }) => family === "IPv4")
  .map(({ address }) => address)

describe("LoopGuard", () => {
  for (const [listeners, target, port, expected] of [
    [["127.0.0.1:1080"], "127.0.0.1", 1080, "itself"],
    [["127.0.0.1:1080"], "0.0.0.0", 1080, "itself"],
    [["127.0.0.1:1080"], "::", 1080, "itself"],
    [["127.0.0.1:1080"], "127.0.0.1", 1081, ["127.0.0.1"]],
    [["127.0.0.1:1080"], "127.0.0.2", 1080, ["127.0.0.2"]],
    [["0.0.0.0:1080"], "127.0.0.2", 1080, "itself"],
    [["0.0.0.0:1080"], elsewhere, 1080, "itself"],
    [["[::]:1080"], "::1", 1080, "itself"],
    [["127.0.0.1:1080"], "::ffff:127.0.0.1", 1080, "itself"],
    [["0.0.0.0:1080"], "::ffff:127.0.0.2", 1080, "itself"],
    [["[::]:1080"], elsewhere, 1080, "itself"],
    [["0.0.0.0:1080"], "192.0.2.1", 1080, ["192.0.2.1"]]
  ] as const) {
    it.effect(`on ${listeners}, asked for ${target} at ${port}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual<unknown>(yield* dialled(listeners, target, port), expected)
      })
    )
  }

  for (const [allow, listener, target, expected] of [
    ["127.0.0.1:1080", "127.0.0.1:1080", "127.0.0.1", ["127.0.0.1"]],
    ["[::1]:1080", "[::]:1080", "::1", ["::1"]],
    ["127.0.0.1:1080", "0.0.0.0:1080", "::ffff:127.0.0.1", ["::ffff:127.0.0.1"]],
    ["127.0.0.1:1080", "0.0.0.0:1080", "127.0.0.2", "itself"],
    ["127.0.0.1", "127.0.0.1:1080", "127.0.0.1", "itself"],
    ["127.0.0.1:1000-2000", "127.0.0.1:1080", "127.0.0.1", "itself"],
    ["127.0.0.1:1081", "127.0.0.1:1080", "127.0.0.1", "itself"],
    ["127.0.0.0/8:1080", "127.0.0.1:1080", "127.0.0.1", "itself"],
    ["*:1080", "127.0.0.1:1080", "127.0.0.1", "itself"],
    ["localhost:1080", "127.0.0.1:1080", "127.0.0.1", "itself"],
    ["local:*:1080", "127.0.0.1:1080", "127.0.0.1", "itself"]
  ] as const) {
    it.effect(`on ${listener}, opened for ${allow}, asked for ${target}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual<unknown>(yield* dialled([listener], target, 1080, [allow]), expected)
      })
    )
  }

  it.effect("is a decision of the policy, for connections", () =>
    Effect.gen(function* () {
      const denied = { verdict: "deny", rule: "address guard", reason: "this is the server itself" }
      for (const command of ["CONNECT", "FORWARD"] as const) {
        assert.deepStrictEqual<unknown>(yield* judged("10.0.0.1", command, "127.0.0.1"), denied)
        assert.strictEqual((yield* judged("10.0.0.1", command, "127.0.0.2")).verdict, "allow")
        assert.strictEqual((yield* judged("127.0.0.1:1080", command, "127.0.0.1")).verdict, "allow")
      }
      // No datagram gets to a listener of TCP, and nobody is connected to by BIND.
      assert.strictEqual((yield* judged("10.0.0.1", "ASSOCIATE", "127.0.0.1")).verdict, "allow")
      assert.strictEqual((yield* judged("10.0.0.1", "BIND", "127.0.0.1")).verdict, "allow")
    })
  )
})
