/**
 * What is counted for all workers together, where the primary keeps it.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as RememberedLogins from "../auth/RememberedLogins.ts"
import type * as LoginGuard from "../bans/LoginGuard.ts"
import type { BanSettings } from "../bans/Settings.ts"
import * as Hmac from "../base/Hmac.ts"
import * as TokenBuckets from "../base/TokenBuckets.ts"
import * as RateAllocator from "../limits/RateAllocator.ts"
import * as SlotAllocator from "../limits/SlotAllocator.ts"
import type * as Usage from "../limits/Usage.ts"
import { Pseudonym } from "../protocols/http/Pseudonym.ts"
import type { Count, Counted } from "./Messages.ts"
import * as SessionIds from "./SessionIds.ts"

/** A worker, as far as it is told what is counted. */
export interface Clerk {
  readonly send: (message: Count) => void
}

export interface Coordinator<in Worker> {
  /** Where it begins; it is told everything from now on. */
  readonly enter: (worker: Worker) => {
    readonly ids: SessionIds.Block
    readonly pseudonym: string
    readonly loginKey: string
    readonly news: ReadonlyArray<Count>
  }
  readonly receive: (worker: Worker, message: Counted) => void
  readonly remove: (worker: Worker) => void
  /** Tells everyone. */
  readonly tell: (message: Count) => void
  /** Tells everyone what was used since the last time. */
  readonly sweep: () => void
}

export interface Options {
  readonly guesses: LoginGuard.Copy
  readonly usage: Usage.Usage
  /** The settings of now. */
  readonly settings: () => BanSettings["Service"]
  readonly run: (effect: Effect.Effect<void>) => void
}

export const make = <Worker extends Clerk>({
  guesses,
  usage,
  settings,
  run
}: Options): Coordinator<Worker> => {
  const workers = new Set<Worker>()
  const nextBlock = SessionIds.blocks()
  const lessor = SlotAllocator.make<Worker>((worker, ruling) => worker.send(ruling))
  const sharer = RateAllocator.make<Worker>((worker, share) => worker.send(share))
  const rates = TokenBuckets.make()
  const pseudonym = Pseudonym.random()
  const loginKey = Hmac.newKey()
  const remembered = RememberedLogins.make(Hmac.digest(loginKey))
  let moved = new Set<string>()

  const tell = (message: Count) => {
    for (const worker of workers) worker.send(message)
  }

  return {
    enter: (worker) => {
      workers.add(worker)
      const now = Date.now()
      return {
        ids: nextBlock(),
        pseudonym,
        loginKey,
        news: [
          ...guesses.all(),
          { _tag: "used", ...usage.snapshot(now) },
          { _tag: "logins", logins: remembered.all(now) }
        ]
      }
    },
    receive: (worker, message) => {
      switch (message._tag) {
        case "ids":
          return worker.send({ _tag: "ids", ids: nextBlock() })
        case "token": {
          const { id, key, limit } = message
          return worker.send({ _tag: "token", id, wait: rates.take(key, limit, performance.now()) })
        }
        case "ask":
        case "own":
        case "back":
          return lessor.receive(worker, message)
        case "guessed": {
          const { _tag, id, outcome, address, ...attempt } = message
          const ip = NetAddress.ipFromStringUnsafe(address)
          const counted = guesses.failed(outcome, ip, attempt, settings())
          return run(
            Effect.ensuring(
              counted,
              Effect.sync(() => worker.send({ _tag: "judged", id }))
            )
          )
        }
        case "enter":
        case "demand":
        case "leave":
        case "kept":
          return sharer.receive(worker, message)
        case "turnedAway":
          guesses.turnedAway += message.count
          return
        case "moved":
          for (const [name, bytes] of message.accounts) {
            usage.add(name, bytes, Date.now())
            moved.add(name)
          }
          return
        case "logins":
          remembered.follow(message.logins, Date.now())
          for (const other of workers) if (other !== worker) other.send(message)
          return
        default:
          return guesses.follow(message)
      }
    },
    remove: (worker) => {
      workers.delete(worker)
      lessor.remove(worker)
      sharer.remove(worker)
    },
    tell,
    sweep: () => {
      if (moved.size === 0) return
      const names = moved
      moved = new Set()
      const { date, accounts } = usage.snapshot(Date.now())
      tell({ _tag: "used", date, accounts: accounts.filter(({ name }) => names.has(name)) })
    }
  }
}
