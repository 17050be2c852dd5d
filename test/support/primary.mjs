// A program of somebody's own, with two workers behind it. It is told what to do by lines on a port of its own: to
// listen to events, to list the sessions, and to end one. What comes of that is on its standard output.
import cluster from "node:cluster"
import { createServer } from "node:net"
import { createInterface } from "node:readline"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

const dist = new URL("../../dist/", import.meta.url)
/** @param {string} path */
const load = (path) => import(new URL(path, dist).href)

/** @param {object} line */
const tell = (line) => console.log(JSON.stringify(line))

const tags = /** @type {const} */ ([
  "LoginSucceeded",
  "LoginFailed",
  "SessionBegun",
  "SessionConnected",
  "SessionEnded"
])

const primary = async () => {
  const Primary = await load("workers/Primary.js")
  const Reload = await load("server/Reload.js")
  const Config = await load("server/Config.js")
  const { RunningServer } = await load("server/RunningServer.js")
  const { Events } = await load("session/Events.js")
  tell({ message: "loaded" })
  const port = Number(process.argv[process.argv.indexOf("--listen") + 1]?.split(":")[1])
  const config = Config.layer({
    listen: [Host.hostPortUnsafe(NetAddress.ipv4Loopback, port)],
    user: [{ name: "alice", password: Redacted.make("secret") }]
  })
  const app = Effect.gen(function* () {
    const { endSession, sessions } = yield* RunningServer
    const { stream } = yield* Events
    yield* Reload.once(Layer.provideMerge(Primary.services, config))
    const lines = yield* Queue.unbounded()
    const control = createServer((socket) => {
      createInterface({ input: socket }).on("line", (line) => Queue.offerUnsafe(lines, line))
    }).listen(0, "127.0.0.1", () => {
      const pids = Object.values(cluster.workers ?? {}).map((worker) => worker?.process.pid)
      tell({ message: "ready", pids, ...Object(control.address()) })
    })
    let listening = yield* Scope.make()
    while (true) {
      const [command, id] = String(yield* Queue.take(lines)).split(" ")
      switch (command) {
        case "hear": {
          const told = Stream.runForEach(stream(tags), (event) =>
            Effect.sync(() => tell({ message: "event", event }))
          )
          yield* Scope.provide(Effect.forkScoped(told, { startImmediately: true }), listening)
          break
        }
        case "deafen":
          yield* Scope.close(listening, Exit.void)
          listening = yield* Scope.make()
          break
        case "list":
          tell({ message: "list", sessions: yield* sessions })
          break
        case "end":
          tell({ message: "end", id: Number(id), isFound: yield* endSession(Number(id)) })
      }
    }
  })
  const layer = Layer.provide(Primary.layer({ count: 2, texts: () => new Map() }), config)
  Effect.runFork(Effect.scoped(Effect.provide(app, layer)))
}

if (cluster.isWorker) await load("main.js")
else await primary()
