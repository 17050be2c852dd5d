/**
 * A worker's part in what all of them count together.
 */
import * as Effect from "effect/Effect"
import * as RememberedLogins from "../auth/RememberedLogins.ts"
import * as Hmac from "../base/Hmac.ts"
import * as RateShare from "../limits/RateShare.ts"
import type { RateShares } from "../limits/RateShares.ts"
import * as RateTokens from "../limits/RateTokens.ts"
import type { Grant, SharedCounters, Shortage } from "../limits/SharedCounters.ts"
import * as SlotLease from "../limits/SlotLease.ts"
import * as UsageReplica from "../limits/UsageReplica.ts"
import type { IpcChannel } from "./IpcChannel.ts"
import * as LoginGuardReplica from "./LoginGuardReplica.ts"
import type { Count } from "./Messages.ts"
import * as SessionIds from "./SessionIds.ts"

export interface WorkerCounters extends SharedCounters {
  readonly guesses: LoginGuardReplica.LoginGuardReplica
  readonly usage: UsageReplica.UsageReplica
  readonly shares: RateShares
  readonly remembered: RememberedLogins.RememberedLogins
  readonly receive: (message: Count) => void
  /** Makes known what is in use of everything, when other limits may hold. */
  readonly declare: () => void
  /** Gives back what is not used, and says what is to be added up; to be called every second. */
  readonly sweep: () => void
}

export const make = ({ welcome, send }: Pick<IpcChannel, "welcome" | "send">): WorkerCounters => {
  const ids = SessionIds.make(welcome.ids, () => send({ _tag: "ids" }))
  const lessee = SlotLease.make(send)
  const tokens = RateTokens.make(send)
  const guesses = LoginGuardReplica.make(Hmac.hashes, send)
  const usage = UsageReplica.make(send)
  const shares = RateShare.make(send)
  const remembered = RememberedLogins.make(Hmac.digest(welcome.loginKey), (login) =>
    send({ _tag: "logins", logins: [login] })
  )
  const receive = (message: Count) => {
    switch (message._tag) {
      case "ids":
        return ids.add(message.ids)
      case "token":
        return tokens.receive(message)
      case "used":
        return usage.receive(message)
      case "share":
        return shares.receive(message)
      case "logins":
        return remembered.follow(message.logins, Date.now())
      case "grant":
      case "full":
      case "recall":
        return lessee.receive(message)
      default:
        return guesses.receive(message)
    }
  }
  welcome.news.forEach(receive)
  return {
    nextId: ids.next,
    fraction: 1 / welcome.count,
    places: lessee,
    rates: tokens,
    requestMore: ({ of, key, limit }: Shortage) =>
      of === "token"
        ? tokens.ask(key, limit)
        : Effect.callback<Grant>((resume) => {
            lessee.ask(key, limit, (slot) => resume(Effect.succeed(slot ?? { wait: 0 })))
          }),
    guesses,
    usage,
    shares,
    remembered,
    receive,
    declare: lessee.declare,
    sweep: () => {
      for (const part of [lessee, tokens, guesses, usage]) part.sweep()
    }
  }
}
