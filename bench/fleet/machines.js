/**
 * A process with many machines of a fleet, as `cost.js` starts it: each counts as a
 * server does. Their clients are made up.
 *
 * Time can run slower than it does, so that one computer can play many: then so much less happens in a second.
 */
import { performance } from "node:perf_hooks"
import { createClient } from "@redis/client"
import { FleetStoreFailed } from "../../dist/Errors.js"
import { FleetShares } from "../../dist/fleet/FleetShares.js"
import { FleetSlots } from "../../dist/fleet/FleetSlots.js"
import { FleetTokens } from "../../dist/fleet/FleetTokens.js"
import * as Keys from "../../dist/fleet/Keys.js"
import { Membership } from "../../dist/fleet/Membership.js"
import { AcquireSlots } from "../../dist/fleet/scripts/AcquireSlots.js"
import * as Beat from "../../dist/fleet/scripts/Beat.js"
import { Begin } from "../../dist/fleet/scripts/Begin.js"
import { PutSlots } from "../../dist/fleet/scripts/PutSlots.js"
import { TakeShare } from "../../dist/fleet/scripts/TakeShare.js"
import { TakeTokens } from "../../dist/fleet/scripts/TakeTokens.js"
import * as SlotLease from "../../dist/limits/SlotLease.js"

const { socket, first, count, pace, users, open, perSecond, uploads } = JSON.parse(process.argv[2])

/** Milliseconds. */
const lease = 6000

const now = () => performance.now() * pace
const after = (milliseconds, call) => {
  if (milliseconds <= 0) queueMicrotask(call)
  else setTimeout(call, milliseconds / pace)
}
const every = (milliseconds, call) => setInterval(call, milliseconds / pace)

/** Which arguments of a script are milliseconds of the store. */
const times = { "acquire-slots": [8, 9, 10], "put-slots": [3, 4, 5], "take-share": [6], beat: [2] }
/** And which are of a second. */
const rates = { "take-tokens": [1] }

const totals = { begun: 0, refused: 0, lost: 0, failed: 0 }

/** All machines of this process are on one connection, as a thousand of them would need more cores than one computer has. */
const real = await (async () => {
  const client = createClient({ socket: { path: socket }, RESP: 3, commandsQueueMaxLength: 1_000_000 })
  client.on("error", () => {})
  await client.connect()
  const digests = new Map()
  const load = async (script) => {
    digests.set(script, undefined)
    digests.set(script, await client.sendCommand(["SCRIPT", "LOAD", script.lua]))
  }
  const failed = (error) => new FleetStoreFailed({ store: socket, reason: error.message })
  return {
    name: socket,
    isConnected: () => true,
    load,
    call: (script, keys, args, answer) => {
      client
        .sendCommand(["EVALSHA", digests.get(script), String(keys.length), ...keys, ...args.map(String)], {
          timeout: 0
        })
        .then(answer, (error) => answer(failed(error)))
    },
    publish: () => {},
    listen: (channel, receive) => client.subscribe(channel, receive)
  }
})()
for (const script of [Begin, Beat.Beat, AcquireSlots, PutSlots, TakeTokens, TakeShare])
  await real.load(script)

const machine = async (id) => {
  const store = {
    ...real,
    call: (script, keys, args, answer) => {
      const scaled = args.map((arg, at) => {
        if (times[script.name]?.includes(at)) return Math.round(arg / pace)
        return rates[script.name]?.includes(at) ? arg * pace : arg
      })
      real.call(script, keys, scaled, (reply) => {
        if (reply instanceof Error && totals.failed++ === 0)
          console.error(script.name, reply.message, scaled.slice(0, 8))
        answer(reply)
      })
    }
  }
  const membership = new Membership({
    ...{ store, keys: Keys.make("bench"), id, told: () => id, lease, now, after },
    onChange: (isLost) => isLost && totals.lost++
  })
  const slots = new FleetSlots(membership, "share", (member, ruling) =>
    after(0, () => member.receive(ruling))
  )
  const tokens = new FleetTokens(membership, "share", (answer, { wait }) => answer(wait))
  const shares = new FleetShares(membership, "share", (_, { name, turn }) =>
    after(0, () => shares.receive(member, { _tag: "kept", name, turn }))
  )
  const member = SlotLease.make((claim) => after(0, () => slots.receive(member, claim)), now)
  membership.add({
    ...{ renew: (done) => done(true), lose: () => {}, surrender: () => {} },
    hold: (until) => after(0, () => member.holdUntil(until))
  })
  await real.listen(membership.keys.channel(id), (text) => void (slots.notice(text) || shares.notice(text)))
  membership.connected("one run")
  every(lease / 3, () => membership.beat())
  every(1000, () => {
    member.sweep()
    slots.sweep()
    shares.sweep()
  })
  every(200, () => tokens.sweep())
  let requests = 0
  const take = (key, limit, then) => {
    const start = () => {
      member.change(key, 1)
      then(() => member.change(key, -1))
    }
    if (member.hasRoom(key, limit)) return start()
    member.ask(key, limit, (slot) => {
      if (slot === undefined) return void totals.refused++
      // Later, as one answer would call the next.
      queueMicrotask(() => {
        slot.release()
        start()
      })
    })
  }
  const begin = () => {
    const user = Math.floor(Math.random() * users)
    const session = () =>
      take("all", 1_000_000, (endAll) =>
        take(`user ${user}`, 1000, (endUser) => {
          totals.begun++
          after((-Math.log(1 - Math.random()) * open * 1000) / perSecond, () => {
            endAll()
            endUser()
          })
        })
      )
    tokens.receive((wait) => (wait === 0 ? session() : void totals.refused++), {
      ...{ _tag: "token", id: ++requests, key: `user ${user}`, limit: 100 }
    })
  }
  for (let index = 0; index < uploads; index++) {
    const name = `upload of user ${(Math.random() * users) | 0}`
    shares.receive(member, { _tag: "enter", name, id: index })
  }
  return begin
}

const begins = []
for (let index = 0; index < count; index++) begins.push(await machine(`machine-${first + index}`))

let isBusy = false
/** Sessions that are due. */
let due = 0
let at = performance.now()
const fill = async (sessions) => {
  for (let index = 0; index < sessions; index++) {
    begins[index % count]()
    // As fast as the store and this process answer.
    if (index % 200 === 199)
      await new Promise((resolve) =>
        real.call(Beat.Beat, Beat.keys(Keys.make("fill")), ["", "", 0], () => setTimeout(resolve, 2))
      )
  }
}
setInterval(() => {
  const time = performance.now()
  if (isBusy) due += ((time - at) * pace * perSecond) / 1000
  at = time
  for (; due >= 1; due--) begins[(Math.random() * count) | 0]()
}, 5)

process.on("message", async (order) => {
  if (order === "fill") await fill(open)
  if (order === "busy") isBusy = true
  if (order === "idle") isBusy = false
  process.send({ ...totals, cpu: process.cpuUsage() })
})
process.on("disconnect", () => process.exit())
process.send("ready")
