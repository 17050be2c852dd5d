/**
 * Sessions that wait for the same answer of an upstream.
 *
 * Servers that are each other's upstream, also by way of others, pass a session round: at each of them it is one session
 * more, of the same client to the same target, and none is answered before the next one. SOCKS has nothing that tells such
 * a session from another. So only some sessions of a client wait for an answer about a target, and more of them wait for
 * their turn. Each success lets two in, as the slow start of TCP does (RFC 5681 §3.1): where the target answers, they are
 * soon as many as there are, and a round ends with a few.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Deadline from "../base/Deadline.ts"
import { Queue } from "../base/Queue.ts"

interface Flow {
  /** The attempts that may be under way. */
  window: number
  underWay: number
  readonly waiting: Queue<() => void>
  /** The attempts that are under way or wait. */
  users: number
}

/** Bounds the wait for a turn. */
type Within<E, R> = (turn: Effect.Effect<void>) => Effect.Effect<void, E, R>

export class SlowStart {
  private readonly flows = new Map<string, Flow>()
  private readonly first: number

  /** `first` attempts of a flow may be under way before one has succeeded. */
  constructor(first: number) {
    this.first = first
  }

  /**
   * Runs an attempt of a flow in its turn, or fails as `within` does meanwhile. `isAnswer` is false for
   * the error of an attempt that nobody has answered. A flow without attempts takes no memory.
   */
  run<A, E, R, E2, R2>(
    key: string,
    attempt: Effect.Effect<A, E, R>,
    { isAnswer, within }: { readonly isAnswer: (error: E) => boolean; readonly within: Within<E2, R2> }
  ): Effect.Effect<A, E | E2, R | R2> {
    const end = (turn: Turn, exit: Exit.Exit<A, E>) => {
      const isAnswered = Exit.isSuccess(exit) || Option.exists(Exit.findErrorOption(exit), isAnswer)
      return isAnswered ? Effect.sync(() => turn.end(Exit.isSuccess(exit))) : turn.endLater
    }
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        this.begin(key, (turn) => restore(within(turn))),
        (turn) => Effect.onExit(restore(attempt), (exit) => end(turn, exit))
      )
    )
  }

  /** A turn that lasts so long, until the scope closes, or until its attempt has succeeded. */
  turn<E, R>(
    key: string,
    longest: Duration.Duration,
    within: Within<E, R>
  ): Effect.Effect<Turn, E, R | Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.tap(
        this.begin(key, (turn) => restore(within(turn))),
        (turn) =>
          Effect.withFiber((fiber) => {
            const cancel = Deadline.after(fiber, longest, () => turn.end(false))
            return Effect.addFinalizer(() => Effect.andThen(Effect.sync(cancel), turn.endLater))
          })
      )
    )
  }

  private begin<E, R>(key: string, within: Within<E, R>): Effect.Effect<Turn, E, R> {
    return Effect.suspend(() => {
      const known = this.flows.get(key)
      const flow: Flow = known ?? { window: this.first, underWay: 0, waiting: new Queue(), users: 0 }
      this.flows.set(key, flow)
      flow.users++
      const turn = new Turn(flow, () => this.flows.delete(key))
      if (flow.underWay < flow.window) {
        turn.take()
        return Effect.succeed(turn)
      }
      return Effect.onError(Effect.as(within(turn.wait), turn), () => Effect.sync(() => turn.end(false)))
    })
  }
}

/** How long a turn lasts whose attempt ends without an answer: a round has to end faster than others begin. */
const patience = Duration.seconds(1)

export class Turn {
  private isUnderWay = false
  private isOver = false
  private readonly flow: Flow
  private readonly forget: () => void

  /** `forget` is called when nobody uses the flow any more. */
  constructor(flow: Flow, forget: () => void) {
    this.flow = flow
    this.forget = forget
  }

  take(): void {
    this.flow.underWay++
    this.isUnderWay = true
  }

  /** Waits for the turn, which is taken at once, so that no other attempt gets it. */
  get wait(): Effect.Effect<void> {
    const { waiting } = this.flow
    return Effect.callback((resume) => {
      const entry = waiting.add(() => {
        this.take()
        resume(Effect.void)
      })
      return Effect.sync(() => waiting.delete(entry))
    })
  }

  /** Ends the turn, unless that is done already, and gives others theirs. */
  end(hasSucceeded: boolean): void {
    if (this.isOver) return
    this.isOver = true
    const { flow } = this
    if (this.isUnderWay) flow.underWay--
    if (hasSucceeded) flow.window++
    if (--flow.users === 0) this.forget()
    for (let next = flow.waiting.first; next && flow.underWay < flow.window; next = flow.waiting.first) {
      flow.waiting.delete(next)
      next.item()
    }
  }

  /** Ends the turn a while later, without success. */
  get endLater(): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      if (!this.isOver) Deadline.after(fiber, patience, () => this.end(false))
      return Effect.void
    })
  }
}
