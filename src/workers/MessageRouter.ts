/**
 * Takes the messages of workers: each goes to the part of the primary that the
 * message is for.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Requests from "../base/Requests.ts"
import type { CoordinatorSeat } from "../limits/CoordinatorSeat.ts"
import * as Systemd from "../server/Systemd.ts"
import type { EventInterest } from "./EventInterest.ts"
import type * as Heartbeat from "./Heartbeat.ts"
import * as Messages from "./Messages.ts"
import type * as Pool from "./Pool.ts"
import type * as Reloads from "./Reloads.ts"
import type * as SessionQuery from "./SessionQuery.ts"
import type * as Start from "./Start.ts"
import type { UserChanges } from "./UserChanges.ts"
import type * as WorkerMetrics from "./WorkerMetrics.ts"

/** The parts of the primary that take messages of workers. */
interface Parts {
  readonly canReuse: boolean
  readonly seat: CoordinatorSeat["Service"]
  readonly heartbeat: Heartbeat.Heartbeat<Pool.Member>
  readonly reloads: Reloads.Reloads<Pool.Member>
  readonly lists: SessionQuery.Lists<Pool.Member>
  readonly ends: Requests.Requests<Pool.Member, boolean>
  readonly interest: EventInterest<Pool.Member>
  readonly metrics: WorkerMetrics.Gathering<Pool.Member>
  readonly users: UserChanges<Pool.Member>
  readonly start: Start.Start
}

export const make = Effect.fnUntraced(function* ({
  canReuse,
  seat,
  heartbeat,
  reloads,
  lists,
  ends,
  interest,
  metrics,
  users,
  start
}: Parts): Effect.fn.Return<Pick<Pool.PoolHandlers, "onMessage" | "onEnd">> {
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  /** The texts of each worker's welcome. */
  const welcomed = new WeakMap<Pool.Member, Messages.Texts>()

  const welcome = (member: Pool.Member) => {
    const texts = reloads.inForce()
    welcomed.set(member, texts)
    heartbeat.add(member)
    metrics.add(member)
    users.add(member)
    member.send({
      _tag: "welcome",
      texts,
      reusePort: canReuse,
      passed: Systemd.passed(undefined),
      ...interest.enter(member),
      ...seat.enter(member)
    })
  }

  const serves = (member: Pool.Member, { reload, ...open }: Messages.Serving) => {
    start.open = open
    if (reload !== undefined) return void reloads.answer(member, reload, Exit.void)
    fork(announce(member, start.isFinished))
    reloads.add(member, welcomed.get(member) ?? Messages.nothing)
    start.advance()
  }

  const refuses = (member: Pool.Member, { reload, error }: Messages.Refused) => {
    if (reload !== undefined) return void reloads.answer(member, reload, Exit.fail(Messages.read(error)))
    if (start.isFinished) member.fail(error.message)
    else start.fail(Messages.read(error))
  }

  return {
    onMessage: (member, message) => {
      switch (message._tag) {
        case "hello":
          return welcome(member)
        case "pong":
          return heartbeat.receive(member)
        case "listed":
        case "listedPart":
          return lists.receive(member, message)
        case "endAnswered":
          return void ends.answer(member, message.id, message.isFound)
        case "events":
          return interest.receive(message)
        case "measured":
          return metrics.receive(member, message)
        case "usersTaken":
          return users.receive(member, message)
        case "serving":
          return serves(member, message)
        case "refused":
          return refuses(member, message)
        default:
          return seat.receive(member, message)
      }
    },
    onEnd: (member) => {
      for (const part of [heartbeat, seat, reloads, lists, ends, interest, metrics, users])
        part.remove(member)
    }
  }
})

/** At debug level for the first workers: the line "listening" is enough for them. */
const announce = ({ pid }: Pool.Member, isStarted: boolean) =>
  isStarted ? Effect.logInfo("a worker serves", { pid }) : Effect.logDebug("a worker serves", { pid })
