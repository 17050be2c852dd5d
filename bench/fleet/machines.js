/**
 * A process with many machines of a fleet, as `cost.js` starts it.
 *
 * Time can run slower than it does, so that one computer can play many: then so much less happens in a second.
 */
import { performance } from "node:perf_hooks"
import { setTimeout as sleep } from "node:timers/promises"
import * as Keys from "../../dist/fleet/Keys.js"
import * as Beat from "../../dist/fleet/scripts/Beat.js"
import { ListMachines } from "../../dist/fleet/scripts/ListMachines.js"
import { make } from "./machine.js"
import * as Store from "./store.js"

const { socket, hasOwn, first, count, pace, perSecond, open, ...load } = JSON.parse(process.argv[2])

const time = {
  now: () => performance.now() * pace,
  after: (milliseconds, call) => {
    if (milliseconds <= 0) queueMicrotask(call)
    else setTimeout(call, milliseconds / pace)
  },
  every: (milliseconds, call) => setInterval(call, milliseconds / pace)
}

const totals = { begun: 0, refused: 0, lost: 0 }
const calls = {}
const clients = { ...load, totals, life: (1000 * open) / perSecond }
const one = hasOwn ? undefined : await Store.shared(socket, pace, calls)
const begins = []
/** Waits until the store has answered all that was asked before. */
let answered = () => Promise.resolve()
for (let index = 0; index < count; index++) {
  const connection = one ?? (await Store.own(socket, pace, calls))
  answered = () =>
    new Promise((resolve) => connection.store.call(ListMachines, Beat.keys(Keys.make("none")), [], resolve))
  // On a connection of all machines, one of them hears what goes to all.
  begins.push(await make(`machine-${first + index}`, connection, time, clients, hasOwn || index === 0))
}

let isBusy = false
/** Sessions that are due. */
let due = 0
let at = performance.now()
const fill = async (sessions) => {
  for (let index = 0; index < sessions; index++) {
    begins[index % count]()
    // As fast as the store and this process answer.
    if (index % 100 === 99) {
      await answered()
      await sleep(5)
    }
  }
}
setInterval(() => {
  const now = performance.now()
  if (isBusy) due += ((now - at) * pace * perSecond) / 1000
  at = now
  for (; due >= 1; due--) begins[(Math.random() * count) | 0]()
}, 5)

process.on("message", async (order) => {
  if (order === "fill") await fill(open)
  if (order === "busy") isBusy = true
  if (order === "idle") isBusy = false
  process.send({ ...totals, calls, cpu: process.cpuUsage() })
})
process.on("disconnect", () => process.exit())
process.send("ready")
