/**
 * A worker's part in what all of them count together.
 */
import * as Effect from "effect/Effect"
import * as Hmac from "../base/Hmac.ts"
import * as Shared from "../limits/RateShare.ts"
import type { Shares } from "../limits/RateShares.ts"
import * as Tokens from "../limits/RateTokens.ts"
import type { Counting, Lack, More } from "../limits/SharedCounters.ts"
import * as Lessee from "../limits/SlotLease.ts"
import * as Used from "../limits/UsageReplica.ts"
import type { Link } from "./IpcChannel.ts"
import * as Guessed from "./LoginGuardReplica.ts"
import type { Count } from "./Messages.ts"
import * as Ids from "./SessionIds.ts"

export interface Counted extends Counting {
  readonly guesses: Guessed.Guessed
  readonly usage: Used.Used
  readonly shares: Shares
  readonly receive: (message: Count) => void
  /** Makes known what is in use of everything, when other limits may hold. */
  readonly declare: () => void
  /** Gives back what is not used, and says what is to be added up; to be called every second. */
  readonly sweep: () => void
}

export const make = ({ welcome, send }: Pick<Link, "welcome" | "send">): Counted => {
  const ids = Ids.make(welcome.ids, () => send({ _tag: "ids" }))
  const lessee = Lessee.make(send)
  const tokens = Tokens.make(send)
  const guesses = Guessed.make(Hmac.hashes, send)
  const usage = Used.make(send)
  const shares = Shared.make(send)
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
    part: 1 / welcome.count,
    places: lessee,
    rates: tokens,
    more: ({ of, key, limit }: Lack) =>
      Effect.callback<More>((resume) => {
        if (of === "token") tokens.ask(key, limit, (more) => resume(Effect.succeed(more)))
        else lessee.ask(key, limit, (slot) => resume(Effect.succeed(slot ?? { wait: 0 })))
      }),
    guesses,
    usage,
    shares,
    receive,
    declare: lessee.declare,
    sweep: () => {
      for (const part of [lessee, tokens, guesses, usage]) part.sweep()
    }
  }
}
