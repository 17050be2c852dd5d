/**
 * A server in a network of IPv6 only, with a translator to IPv4 (NAT64) and its name server (DNS64): the translator plays the
 * targets behind it, and tells under which address they were asked for.
 */
import { connect as dial } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Peer from "../../src/testing/Peer.ts"
import { greeting, request } from "../support/messages.ts"
import * as Namespaces from "../support/namespaces.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import { directory } from "../support/temporary.ts"

/** Answers AAAA of these names, each with an address under the prefix; prints the names that it is asked for. */
const translator = `
  const names = { "ipv4only.arpa": [192, 0, 0, 170], "target.example": [203, 0, 113, 9] }
  const udp = require("dgram").createSocket("udp6")
  udp.on("message", (query, { address, port }) => {
    const labels = []
    let at = 12
    for (; query[at] !== 0; at += query[at] + 1) labels.push(query.toString("latin1", at + 1, at + 1 + query[at]))
    const question = query.subarray(12, at + 5)
    const name = labels.join(".").toLowerCase()
    console.log("asked " + name)
    const found = query.readUInt16BE(at + 1) === 28 ? names[name] : undefined
    const head = Buffer.from([...query.subarray(0, 2), 0x81, 0x80, 0, 1, 0, found ? 1 : 0, 0, 0, 0, 0])
    const prefix = [0x20, 0x01, 0x0d, 0xb8, 0, 0x64, 0, 0, 0, 0, 0, 0]
    const answer = found ? [0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 60, 0, 16, ...prefix, ...found] : []
    udp.send(Buffer.concat([head, question, Buffer.from(answer)]), port, address)
  }).bind(5353, "::")
  require("net").createServer((s) => s.on("error", () => {}).end(s.localAddress)).listen(8080, "::")
  setTimeout(() => console.log("ready"), 50)`

const under = "2001:db8:64::cb00:7109"

describe.runIf(Namespaces.isPermitted)(
  "A network of IPv6 with a translator (needs root and namespaces)",
  () => {
    const networks = Effect.gen(function* () {
      const [front, beyond] = [yield* Namespaces.make, yield* Namespaces.make]
      yield* Namespaces.connect([front, "fd00:64::1/64"], [beyond, "fd00:64::2/64"])
      yield* front.run("ip -6 route add default via fd00:64::2")
      yield* beyond.run("ip -6 route add local 2001:db8:64::/96 dev lo")
      const [command, ...args] = [...beyond.by, process.execPath, "-e", translator]
      const running = yield* Processes.start(command!, args)
      yield* running.until((stdout) => stdout.includes("ready") || undefined)
      return { front, asked: () => running.stdout().match(/asked \S+/g) ?? [] }
    })

    /** A server there, with these flags. Returns what a client gets: the code of the reply, and what the target says. */
    const server = Effect.fnUntraced(function* ({ by }: Namespaces.Namespace, flags: ReadonlyArray<string>) {
      const path = join(yield* directory, "socket")
      yield* Program.start(["--listen", `unix:${path}`, "--dns", "udp://[fd00:64::2]:5353", ...flags], { by })
      return Effect.fnUntraced(function* (host: string) {
        const socket = yield* Effect.acquireRelease(
          Effect.sync(() => dial(path)),
          (socket) => Effect.sync(() => socket.destroy())
        )
        const client = Peer.make(socket)
        yield* client.send([...greeting(0x00), ...request(host, 8080)])
        const [, , , code, , type] = yield* client.receive(2 + 4)
        yield* client.receive(type === 0x04 ? 18 : 6)
        return [code, Buffer.from(yield* client.rest).toString()]
      }, Effect.scoped)
    })

    it.live("is left for addresses of IPv4 by the prefix that the name server tells, and for names", () =>
      Effect.gen(function* () {
        const { front, asked } = yield* networks
        const visit = yield* server(front, [])
        assert.deepStrictEqual(yield* visit("203.0.113.9"), [0, under])
        assert.deepStrictEqual(yield* visit("203.0.113.9"), [0, under])
        assert.deepStrictEqual([...new Set(asked())], ["asked ipv4only.arpa"])
        assert.deepStrictEqual(yield* visit("target.example"), [0, under])
        const without = yield* server(front, ["--nat64", "off"])
        assert.deepStrictEqual(yield* without("203.0.113.9"), [3, ""])
      }).pipe(Effect.scoped)
    )

    it.live("is judged by the addresses of IPv4 where the settings name its prefix", () =>
      Effect.gen(function* () {
        const { front, asked } = yield* networks
        const prefix = ["--nat64", "2001:db8:64::/96"]
        const visit = yield* server(front, prefix)
        assert.deepStrictEqual(yield* visit("203.0.113.9"), [0, under])
        assert.deepStrictEqual(asked(), [])
        const guarded = yield* server(front, [...prefix, "--deny-target", "203.0.113.0/24"])
        for (const host of [under, "203.0.113.9", "target.example"]) {
          assert.deepStrictEqual(yield* guarded(host), [2, ""], host)
        }
      }).pipe(Effect.scoped)
    )
  }
)
