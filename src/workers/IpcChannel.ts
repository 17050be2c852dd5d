/**
 * A worker's end of the IPC channel to the primary. A worker stops when its primary is
 * gone.
 */
import cluster from "node:cluster"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { Event } from "../base/Abortable.ts"
import type { News } from "../limits/Coordinator.ts"
import type { Interest } from "./EventForward.ts"
import * as MessageBatch from "./MessageBatch.ts"
import type { Texts, ToPrimary, ToWorker } from "./Messages.ts"
import * as Pieces from "./Pieces.ts"
import type { Call, EndCall } from "./SessionQuery.ts"

export interface IpcChannel {
  readonly send: (message: ToPrimary) => void
  readonly welcome: Omit<Extract<ToWorker, { readonly _tag: "welcome" }>, "texts">
  /** Ends when all that was sent is on its way. */
  readonly flush: Effect.Effect<void>
  /** Calls this with what is counted, since the welcome and from now on. */
  readonly onNews: (receive: (news: News) => void) => void
  /** Comes with what the settings are in: at first those to begin with, then each time that they have changed. */
  readonly reload: Effect.Effect<Reload>
  /** Comes with a question for the sessions there are. */
  readonly list: Effect.Effect<Call>
  /** Comes with the number of a session to end. */
  readonly end: Effect.Effect<EndCall>
  /** Comes with the kinds of events that the primary listens to, each time that they have changed. */
  readonly listen: Effect.Effect<Interest["tags"]>
  /** Comes when it is time to stop. */
  readonly stop: Effect.Effect<void>
  /** Comes when the primary is gone. */
  readonly lost: Event
}

export interface Reload {
  readonly texts: Texts
  /** The number to answer to; nothing for the settings to begin with. */
  readonly id?: number
}

/** Says that this worker is there, and waits to be welcomed. */
export const open: Effect.Effect<IpcChannel> = Effect.gen(function* () {
  const welcome = Deferred.makeUnsafe<IpcChannel["welcome"]>()
  const stop = Deferred.makeUnsafe<void>()
  // There may be very much in them, which is let go of when it was read.
  const reloads = yield* Queue.unbounded<Reload>()
  const lists = yield* Queue.unbounded<Call>()
  const ends = yield* Queue.unbounded<EndCall>()
  const interests = yield* Queue.unbounded<Interest["tags"]>()
  const pieces = Pieces.make()
  // Nothing that comes behind the welcome is lost.
  const early: Array<News> = []
  let receiveNews = (news: News): void => void early.push(news)
  const receive = (message: ToWorker) => {
    switch (message._tag) {
      case "welcome": {
        const { texts, ...others } = message
        Queue.offerUnsafe(reloads, { texts: pieces.together(texts) as Texts })
        return Deferred.doneUnsafe(welcome, Effect.succeed(others))
      }
      case "reload":
        return Queue.offerUnsafe(reloads, { ...message, texts: pieces.together(message.texts) as Texts })
      case "piece":
        return pieces.add(message)
      case "list":
        return Queue.offerUnsafe(lists, message)
      case "end":
        return Queue.offerUnsafe(ends, message)
      case "listen":
        return Queue.offerUnsafe(interests, message.tags)
      case "ping":
        return send({ _tag: "pong" })
      case "stop":
        return Deferred.doneUnsafe(stop, Effect.void)
      default:
        return receiveNews(message)
    }
  }
  // Else this process would end at once when its primary does.
  if (cluster.worker) cluster.worker.exitedAfterDisconnect = true
  // That it could not be written to is followed by "disconnect".
  cluster.worker?.on("error", () => {})
  process.on("message", (batch: ReadonlyArray<ToWorker>) => {
    for (const message of batch) receive(message)
  })
  process.on("disconnect", () => receive({ _tag: "stop" }))
  const post = (batch: ReadonlyArray<ToPrimary>, done: () => void) => {
    if (process.connected && process.send) process.send(batch, undefined, undefined, done)
    else done()
  }
  const send = MessageBatch.outgoing<ToPrimary>((batch) => post(batch, () => {}))
  send({ _tag: "hello" })
  return {
    send,
    welcome: yield* Deferred.await(welcome),
    // After the messages of this turn.
    flush: Effect.callback((resume) => void setImmediate(post, [], () => resume(Effect.void))),
    onNews: (receive) => {
      receiveNews = receive
      early.splice(0).forEach(receive)
    },
    reload: Queue.take(reloads),
    list: Queue.take(lists),
    end: Queue.take(ends),
    listen: Queue.take(interests),
    stop: Deferred.await(stop),
    lost: (happen) => {
      process.once("disconnect", happen)
      if (!process.connected) happen()
      return () => process.off("disconnect", happen)
    }
  }
})
