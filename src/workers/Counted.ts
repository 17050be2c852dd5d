/**
 * A worker's part in what all of them count together.
 */
import * as Effect from "effect/Effect"
import type { Counting, Lack, More } from "../server/Counting.ts"
import * as Ids from "./Ids.ts"
import * as Lessee from "./Lessee.ts"
import type { Link } from "./Link.ts"
import type { ToWorker } from "./Messages.ts"
import * as Tokens from "./Tokens.ts"

export interface Counted extends Counting {
  readonly receive: (message: Extract<ToWorker, { readonly _tag: Counts }>) => void
  /** Makes known what is in use of everything, when other limits may hold. */
  readonly declare: () => void
  /** Gives back what is not used; to be called every second. */
  readonly sweep: () => void
}

type Counts = "ids" | "grant" | "full" | "recall" | "token"

export const make = ({ welcome, send }: Pick<Link, "welcome" | "send">): Counted => {
  const ids = Ids.make(welcome.ids, () => send({ _tag: "ids" }))
  const lessee = Lessee.make(send)
  const tokens = Tokens.make(send)
  return {
    nextId: ids.next,
    places: lessee,
    rates: tokens,
    more: ({ of, key, limit }: Lack) =>
      Effect.callback<More>((resume) => {
        if (of === "token") tokens.ask(key, limit, (more) => resume(Effect.succeed(more)))
        else lessee.ask(key, limit, (slot) => resume(Effect.succeed(slot ?? { wait: 0 })))
      }),
    receive: (message) => {
      switch (message._tag) {
        case "ids":
          return ids.add(message.ids)
        case "token":
          return tokens.receive(message)
        default:
          return lessee.receive(message)
      }
    },
    declare: lessee.declare,
    sweep: () => {
      lessee.sweep()
      tokens.sweep()
    }
  }
}
