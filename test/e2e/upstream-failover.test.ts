/**
 * A pool of three members under load, of which one is killed, one is stopped for a while, and both come back: which
 * sessions are lost, counted one by one. A member shows itself to targets by its address.
 *
 * @module-tag transport
 */
import { writeFile } from "node:fs/promises"
import { connect, type Socket } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { greeting, request } from "../support/messages.ts"
import * as Origin from "../support/origin.ts"
import * as Program from "../support/program.ts"
import { serve } from "../support/sockets.ts"
import { directory } from "../support/temporary.ts"
import { until } from "../support/until.ts"

const names = ["a", "b", "c"] as const

type Name = (typeof names)[number]

const addressOf = (name: Name) => `127.9.0.${names.indexOf(name) + 1}`

/** A session that sends something every tenth of a second, and gets it back. */
interface Session {
  readonly client: string
  /** The member through which it goes. */
  readonly member: Name
  /** The round trips so far. */
  readonly trips: () => number
  readonly isOpen: () => boolean
  readonly close: () => void
}

/** Opens a session from this address; with the code of the reply if the server refuses. */
const open = (port: number, target: number, client = "127.0.0.1") =>
  Effect.callback<Session | number>((resume) => {
    const socket: Socket = connect({ port, host: "127.0.0.1", localAddress: client, noDelay: true })
    let head: Buffer = Buffer.alloc(0)
    let member: Name | undefined
    let isOpen = true
    let trips = 0
    let sent = ""
    const ping = () => {
      if (!isOpen) return
      sent = `${trips} `
      socket.write(sent)
    }
    socket.on("connect", () =>
      socket.write(Uint8Array.from([...greeting(0), ...request("127.0.0.1", target)]))
    )
    socket.on("error", () => {})
    socket.on("close", () => {
      isOpen = false
      resume(Effect.succeed(-1))
    })
    socket.on("data", (bytes: Buffer) => {
      if (member !== undefined) {
        // What comes back is what was sent, or the session is broken.
        if (!sent.startsWith(bytes.toString())) return void socket.destroy()
        sent = sent.slice(bytes.length)
        if (sent !== "") return
        trips++
        setTimeout(ping, 100)
        return
      }
      head = Buffer.concat([head, bytes])
      if (head.length >= 4 && head[3] !== 0) return resume(Effect.succeed(head[3]!))
      const [, address] = /^(.*)\n/.exec(head.subarray(12).toString("latin1")) ?? []
      if (address === undefined) return
      member = names.find((name) => addressOf(name) === address)!
      ping()
      const close = () => void socket.destroy()
      resume(Effect.succeed({ client, member, trips: () => trips, isOpen: () => isOpen, close }))
    })
  }).pipe(
    Effect.flatMap((opened) =>
      typeof opened === "number"
        ? Effect.die(new Error(`a session was refused with ${opened}`))
        : Effect.acquireRelease(Effect.succeed(opened), ({ close }) => Effect.sync(close))
    )
  )

/** Waits until each of the sessions has made more round trips. */
const goOn = (sessions: ReadonlyArray<Session>) =>
  Effect.suspend(() => {
    const before = sessions.map(({ trips }) => trips())
    return until(() => sessions.every(({ trips }, index) => trips() > before[index]!))
  })

const countOf = (sessions: ReadonlyArray<Session>): Readonly<Record<Name, number>> => {
  const count = (name: Name) => sessions.filter(({ member }) => member === name).length
  return { a: count("a"), b: count("b"), c: count("c") }
}

/** Clients that stick to their members, by their addresses. */
const clients = Array.from({ length: 60 }, (_, i) => `127.0.0.${i + 2}`)

describe("a pool of members under load", () => {
  it.live("loses the sessions of a member that is killed, and no other ones", () =>
    Effect.gen(function* () {
      const ports = { a: yield* Origin.freePort, b: yield* Origin.freePort, c: yield* Origin.freePort }
      const start = (name: Name) =>
        Program.start(["--listen", `127.0.0.1:${ports[name]}`, "--egress", addressOf(name)])
      const [, b, c] = yield* Effect.all(names.map(start), { concurrency: "unbounded" })
      /** Tells its clients from which address they come, and sends back what it gets. */
      const target = Effect.map(
        serve((socket) => {
          socket.write(`${socket.remoteAddress}\n`)
          socket.pipe(socket)
        }),
        ({ port }) => port
      )
      const [inTurn, sticking] = [yield* target, yield* target]
      const members = names.map((name) => ({ name, via: `socks5://127.0.0.1:${ports[name]}` }))
      const check = { target: `127.0.0.1:${inTurn}`, every: "500ms" }
      const config = {
        listen: "127.0.0.1:0",
        ...{ "connect-timeout": "1500ms", "log-decisions": "none" },
        routes: [
          { name: "pool", members, check },
          { name: "sticky", members, check, choose: "sticky", "sticky-by": "client" }
        ],
        rules: [
          { allow: true, ports: inTurn, route: "pool" },
          { allow: true, ports: sticking, route: "sticky" }
        ]
      }
      const file = join(yield* directory, "config.json")
      yield* Effect.promise(() => writeFile(file, JSON.stringify(config)))
      const front = yield* Program.start(["--config", file])

      const several = (count: number) =>
        Effect.all(Array(count).fill(open(front.port, inTurn)) as Array<ReturnType<typeof open>>, {
          concurrency: 20
        })
      /** The members that clients get. */
      const stick = Effect.forEach(clients, (client) => open(front.port, sticking, client), {
        concurrency: 20
      }).pipe(
        Effect.map((sessions) => new Map(sessions.map(({ client, member }) => [client, member]))),
        Effect.scoped
      )

      const first = yield* several(300)
      assert.deepStrictEqual(countOf(first), { a: 100, b: 100, c: 100 })
      const places = yield* stick
      assert.strictEqual(new Set(places.values()).size, 3)
      yield* goOn(first)

      // One is killed. Its sessions are lost, and new ones find another member before anything of theirs has moved.
      yield* b!.kill("SIGKILL")
      const second = yield* several(60)
      assert.strictEqual(countOf(second).b, 0)
      const ofB = first.filter(({ member }) => member === "b")
      const others = first.filter(({ member }) => member !== "b")
      yield* until(() => ofB.every(({ isOpen }) => !isOpen()))
      yield* goOn([...others, ...second])
      assert.strictEqual(others.filter(({ isOpen }) => isOpen()).length, others.length)

      // Clients of healthy members stay where they are.
      const moved = yield* stick
      for (const [client, member] of places) {
        if (member === "b") assert.include(["a", "c"], moved.get(client))
        else assert.strictEqual(moved.get(client), member)
      }

      // Another one is stopped: nobody is refused by it, and nobody is answered.
      yield* c!.kill("SIGSTOP")
      const third = yield* several(30)
      assert.deepStrictEqual(countOf(third), { a: 30, b: 0, c: 0 })
      const live = [...others, ...second, ...third]
      yield* goOn(live.filter(({ member }) => member === "a"))
      yield* c!.kill("SIGCONT")
      yield* goOn(live)

      // Both come back: health checks find them, and clients return.
      yield* start("b")
      yield* Effect.repeat(Effect.delay(stick, "100 millis"), {
        until: (again) => clients.every((client) => again.get(client) === places.get(client)),
        times: 40
      }).pipe(Effect.map((again) => assert.deepStrictEqual(again, places)))
      assert.deepStrictEqual(countOf(yield* several(30)), { a: 10, b: 10, c: 10 })

      // No session was lost but those of the one that was killed.
      assert.strictEqual(live.filter(({ isOpen }) => isOpen()).length, live.length)
      assert.strictEqual(ofB.length, 100)
    }).pipe(Effect.scoped)
  )
})
