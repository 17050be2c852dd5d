/**
 * A machine of a fleet as a server has it: what it leases, and what it shares beside that. Its clients are made up.
 */
import * as Effect from "effect/Effect"
import * as BanDecisions from "../../dist/bans/BanDecisions.js"
import * as Hmac from "../../dist/base/Hmac.js"
import * as BanWordsFile from "../../dist/fleet/BanWordsFile.js"
import * as FleetBans from "../../dist/fleet/FleetBans.js"
import * as FleetLogins from "../../dist/fleet/FleetLogins.js"
import { FleetShares } from "../../dist/fleet/FleetShares.js"
import { FleetSlots } from "../../dist/fleet/FleetSlots.js"
import { run } from "../../dist/fleet/FleetStore.js"
import { FleetTokens } from "../../dist/fleet/FleetTokens.js"
import * as FleetUsage from "../../dist/fleet/FleetUsage.js"
import * as FleetUsers from "../../dist/fleet/FleetUsers.js"
import * as Keys from "../../dist/fleet/Keys.js"
import { Membership } from "../../dist/fleet/Membership.js"
import { Salt } from "../../dist/fleet/scripts/Salt.js"
import * as UsageJournal from "../../dist/fleet/UsageJournal.js"
import * as SlotLease from "../../dist/limits/SlotLease.js"
import * as Usage from "../../dist/limits/Usage.js"
import { nothing } from "../../dist/usage/Amount.js"

/** Milliseconds. */
const lease = 6000

const keys = Keys.make("bench")
const key = Buffer.from("the fleet's").toString("base64")

/**
 * @param {string} id
 * @param {Awaited<ReturnType<typeof import("./store.js").own>>} connection
 * @param time `now`, `after` and `every`, in milliseconds of the fleet
 * @param load what its clients do, and `totals`
 * @param {boolean} hearsAll whether it listens to what goes to all machines
 */
export const make = async (id, { store, listen }, { now, after, every }, load, hearsAll) => {
  const { totals, users, uploads, life, moving, guesses, logins: newLogins } = load
  const membership = new Membership({
    ...{ store, keys, id, told: () => `{"name":"${id}","startedAt":0}`, lease, now, after },
    onChange: (isLost) => isLost && totals.lost++
  })
  const slots = new FleetSlots(membership, "share", (to, ruling) => after(0, () => to.receive(ruling)))
  const tokens = new FleetTokens(membership, "share", (answer, { wait }) => answer(wait))
  const shares = new FleetShares(membership, "share", (to, { name, turn }) =>
    after(0, () => shares.receive(to, { _tag: "kept", name, turn }))
  )
  const member = SlotLease.make((claim) => after(0, () => slots.receive(member, claim)), now)
  membership.add({
    ...{ renew: (done) => done(true), lose: () => {}, surrender: () => {} },
    hold: (until) => after(0, () => member.holdUntil(until))
  })
  await listen(keys.channel(id), (text) => void (slots.notice(text) || shares.notice(text)))
  membership.connected("one run")
  // Machines have not all begun at once.
  after(Math.random() * 2000, () => {
    every(lease / 3, () => membership.beat())
    every(1000, () => {
      member.sweep()
      slots.sweep()
      tokens.sweep()
      shares.sweep()
    })
  })

  /** Runs an exchange each second, and soon when it is asked for, one at a time. */
  const loop = (exchange) => {
    let isAsked = false
    let isRunning = false
    const turn = async () => {
      if (isRunning) return
      isRunning = true
      isAsked = false
      await Effect.runPromise(Effect.ignore(exchange()))
      after(100, () => {
        isRunning = false
        if (isAsked) turn()
      })
    }
    after(Math.random() * 1000, () => every(1000, turn))
    return () => {
      isAsked = true
      after(0, turn)
    }
  }

  const wakeBans = loop(() => bans.exchange)
  const bans = FleetBans.make({
    ...{ store, keys, machine: id, key, now: Date.now, storeNow: Date.now },
    ...{ machines: () => membership.machines, wordsFile: BanWordsFile.none, wake: () => wakeBans() }
  })
  const decisions = BanDecisions.make(Hmac.hashes, bans.tell)
  bans.attach(decisions)
  const logins = FleetLogins.make({ store, keys, machine: id, key, now: Date.now })
  logins.attach(() => {})
  every(1000, logins.sweep)
  const userChanges = await Effect.runPromise(FleetUsers.make({ store, keys, stateDir: undefined }))
  Effect.runFork(
    Effect.scoped(
      Effect.andThen(
        userChanges.follow(() => Effect.void),
        Effect.never
      )
    )
  )
  loop(() => userChanges.exchange)
  every(2000, () => Effect.runFork(Effect.ignore(run(store, Salt, [keys.ofBucket("salt", 0)], ["salt"]))))
  const wakeUsage = loop(() => usage.exchange)
  const usage = FleetUsage.make(Usage.make(), {
    ...{ store, keys, id, journal: UsageJournal.none, resetDay: 1, now: Date.now, storeNow: Date.now },
    ...{ weight: () => 1, denies: () => false, wake: () => wakeUsage() }
  })
  if (hearsAll) {
    await listen(FleetBans.channelOf(keys), bans.receive)
    await listen(FleetLogins.channelOf(keys), logins.receive)
    await listen(FleetUsers.channelOf(keys), () => {})
  }

  /** Users of open sessions. */
  const open = []
  every(1000, () => {
    for (const user of open) {
      if (Math.random() < moving) usage.add(`user ${user}`, { ...nothing, received: 20_000 }, Date.now())
    }
  })

  const attemptOf = (user, network, password) => ({
    ...{ network: `${network}/32`, wider: [], area: network, now: Date.now(), window: 600_000 },
    ...{ account: `${user}`.padStart(22, "a"), guess: `${password}`.padStart(22, "a") }
  })

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
  for (let index = 0; index < uploads; index++) {
    shares.receive(member, {
      _tag: "enter",
      name: `upload of user ${(Math.random() * users) | 0}`,
      id: index
    })
  }

  /** A session begins. */
  return () => {
    const user = Math.floor(Math.random() * users)
    const network = `203.0.${user >> 8}.${user & 255}`
    if (Math.random() < guesses)
      bans.tell({ _tag: "guess", outcome: "failed", ...attemptOf("mallory", "198.51.100.7", requests) })
    if (Math.random() < newLogins) logins.tell([[`${user}`.padStart(22, "b"), Date.now() + 900_000]])
    decisions.succeeded(attemptOf(user, network, ""))
    const session = () =>
      take("all", 1_000_000, (endAll) =>
        take(`user ${user}`, 1000, (endUser) => {
          totals.begun++
          open.push(user)
          after(-Math.log(1 - Math.random()) * life, () => {
            open.splice(open.indexOf(user), 1)
            endAll()
            endUser()
          })
        })
      )
    tokens.receive((wait) => (wait === 0 ? session() : void totals.refused++), {
      ...{ _tag: "token", id: ++requests, key: `user ${user}`, limit: 100 }
    })
  }
}
