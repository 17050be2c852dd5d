/**
 * HAProxy with the configuration of `deploy/`, in front of three servers with two workers each.
 */
import { connect } from "node:net"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { peer } from "../../src/testing/index.ts"
import * as Admin from "../support/admin.ts"
import * as Balancer from "../support/balancer.ts"
import { certificate } from "../support/certificates.ts"
import { describeWith } from "../support/clients.ts"
import { request } from "../support/messages.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"
import * as Workers from "../support/workers.ts"

const token = "0123456789-abcdefghij"

/** Where the clients of the tests come from, as HAProxy comes from 127.0.0.1. */
const clientHost = "127.0.0.5"

const serve = Effect.fnUntraced(function* (number: number, port: number, adminPort: number) {
  const host = Balancer.hostOf(number)
  return yield* Workers.start([
    ...["--listen", `${host}:${port}`, "--user", "alice:secret", "--private-targets", "allow"],
    ...["--proxy-protocol-from", "127.0.0.1", "--drain-timeout", "20s"],
    ...["--admin", `${host}:${adminPort}`, "--admin-token", token]
  ])
})

/** Three servers, and HAProxy that uses this backend. */
const fleet = Effect.fnUntraced(function* (backend: "effect-socks" | "effect-socks-by-readyz") {
  const [port, adminPort] = [yield* Workers.freePort, yield* Workers.freePort]
  const servers = yield* Effect.forEach([1, 2, 3], (number) => serve(number, port, adminPort), {
    concurrency: "unbounded"
  })
  const { cert } = certificate(yield* Temporary.directory, "ca", "/CN=localhost")
  const balancer = yield* Balancer.start({ port, adminPort, backend }, cert, servers.length)
  const admin = (number: number, path: string, method = "GET") =>
    Admin.ask({ host: Balancer.hostOf(number), port: adminPort, token }, path, { method })
  const sessionsOf = (number: number) =>
    Effect.map(admin(number, "/api/sessions"), ({ json }): ReadonlyArray<{ readonly client: string }> => json)
  const target = yield* Tcp.target
  const session = Effect.gen(function* () {
    const client = yield* Effect.acquireRelease(
      Effect.sync(() =>
        connect({ host: "127.0.0.1", port: balancer.port, localAddress: clientHost, allowHalfOpen: true })
      ),
      (socket) => Effect.sync(() => socket.destroy())
    ).pipe(Effect.map(peer))
    assert.deepStrictEqual(yield* Tcp.authenticate(client, "alice", "secret"), [1, 0])
    yield* client.send(request("127.0.0.1", target.port))
    const origin = yield* target.accept
    assert.strictEqual((yield* client.receive(10))[1], 0)
    return { client, origin }
  })
  const begin = (count: number) => Effect.replicateEffect(session, count)
  return { servers, balancer, admin, sessionsOf, begin, again: () => serve(1, port, adminPort) }
})

type Sessions = Effect.Success<ReturnType<Effect.Success<ReturnType<typeof fleet>>["begin"]>>

/** Bytes go through each session, in both directions. */
const isAlive = Effect.fnUntraced(function* (sessions: Sessions) {
  for (const { client, origin } of sessions) {
    yield* client.send("ping")
    assert.strictEqual(text(yield* origin.receive(4)), "ping")
    yield* origin.send("pong")
    assert.strictEqual(text(yield* client.receive(4)), "pong")
  }
})

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

describeWith(["haproxy"], () => {
  it.live("a server that stops loses no session and refuses no client, and comes back", () =>
    Effect.gen(function* () {
      const { servers, balancer, sessionsOf, begin, again } = yield* fleet("effect-socks")
      const before = yield* begin(6)
      // The fewest sessions first.
      for (const number of [1, 2, 3]) {
        const sessions = yield* sessionsOf(number)
        assert.lengthOf(sessions, 2)
        for (const { client } of sessions) assert.match(client, /^127\.0\.0\.5:\d+$/)
      }

      const [first] = servers
      yield* first!.kill("SIGTERM")
      yield* first!.logged({ message: "draining" })
      // Also those that HAProxy sends to the server before a check has failed.
      const after = yield* begin(6)
      yield* balancer.sends("socks2", "socks3")
      yield* isAlive(before)
      yield* isAlive(after)
      for (const { client, origin } of before) {
        yield* client.end
        yield* origin.end
        assert.strictEqual(text(yield* client.rest), "")
      }
      const { code } = yield* first!.within("15 seconds")
      assert.strictEqual(code, 0)
      // At the debug level there are the checks, too.
      const ended = first!.lines().filter(({ message, user }) => message === "session" && user === "alice")
      assert.deepStrictEqual(
        ended.map(({ outcome }) => outcome),
        ["finished", "finished"]
      )
      assert.match(String(ended[0]?.via), /^127\.0\.0\.1:/)

      yield* again()
      yield* balancer.sends("socks1", "socks2", "socks3")
      yield* begin(6)
      assert.isAbove((yield* sessionsOf(1)).length, 0)
    })
  )

  it.live("a server that drains keeps its sessions, gets no others, and takes some again afterwards", () =>
    Effect.gen(function* () {
      const { balancer, admin, sessionsOf, begin } = yield* fleet("effect-socks-by-readyz")
      const before = yield* begin(3)
      assert.strictEqual((yield* admin(2, "/api/drain", "POST")).status, 204)
      yield* balancer.sends("socks1", "socks3")
      const after = yield* begin(6)
      assert.lengthOf(yield* sessionsOf(2), 1)
      yield* isAlive([...before, ...after])

      yield* admin(2, "/api/drain", "DELETE")
      yield* balancer.sends("socks1", "socks2", "socks3")
      yield* begin(3)
      assert.isAbove((yield* sessionsOf(2)).length, 1)
    })
  )
})
