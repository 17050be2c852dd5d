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
import type { UsersChanged } from "./UserChanges.ts"
import type { Measure } from "./WorkerMetrics.ts"

export interface IpcChannel {
  readonly send: (message: ToPrimary) => void
  readonly welcome: Omit<Extract<ToWorker, { readonly _tag: "welcome" }>, "texts">
  /** Completes when the system has taken all messages. */
  readonly flush: Effect.Effect<void>
  /** Calls this with each message of the coordinator's seat since the welcome. */
  readonly onNews: (receive: (news: News) => void) => void
  /** Completes with the texts of the settings: first those of the start, then those of each reload. */
  readonly reload: Effect.Effect<Reload>
  /** Completes with a request for the sessions of this worker. */
  readonly list: Effect.Effect<Call>
  /** Completes with the number of a session to end. */
  readonly end: Effect.Effect<EndCall>
  /** Completes with the kinds of events that have a listener in the primary, each time that these have changed. */
  readonly listen: Effect.Effect<Interest["tags"]>
  /** Completes with a request for the metrics of this worker. */
  readonly measure: Effect.Effect<Measure>
  /** Completes when the primary has changed the users. */
  readonly usersChanged: Effect.Effect<UsersChanged>
  /** Completes when the primary tells this worker to stop. */
  readonly stop: Effect.Effect<void>
  /** Happens when the primary has ended. */
  readonly lost: Event
}

export interface Reload {
  readonly texts: Texts
  /** The number of the reload, for the answer; undefined at the start. */
  readonly id?: number
}

/** Reports that this worker has started, and waits for the welcome. */
export const open: Effect.Effect<IpcChannel> = Effect.gen(function* () {
  const welcome = Deferred.makeUnsafe<IpcChannel["welcome"]>()
  const stop = Deferred.makeUnsafe<void>()
  // The texts may be very large. They are dropped when they were read.
  const reloads = yield* Queue.unbounded<Reload>()
  const lists = yield* Queue.unbounded<Call>()
  const ends = yield* Queue.unbounded<EndCall>()
  const interests = yield* Queue.unbounded<Interest["tags"]>()
  const measures = yield* Queue.unbounded<Measure>()
  const usersChanges = yield* Queue.unbounded<UsersChanged>()
  const pieces = Pieces.make()
  // From here on, so that no message after the welcome is lost.
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
      case "measure":
        return Queue.offerUnsafe(measures, message)
      case "usersChanged":
        return Queue.offerUnsafe(usersChanges, message)
      case "ping":
        return send({ _tag: "pong" })
      case "stop":
        return Deferred.doneUnsafe(stop, Effect.void)
      default:
        return receiveNews(message)
    }
  }
  // Without a listener, this process would end at once with its primary.
  if (cluster.worker) cluster.worker.exitedAfterDisconnect = true
  // An error of a write is followed by "disconnect".
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
    // After the messages of this turn of the event loop.
    flush: Effect.callback((resume) => void setImmediate(post, [], () => resume(Effect.void))),
    onNews: (receive) => {
      receiveNews = receive
      early.splice(0).forEach(receive)
    },
    reload: Queue.take(reloads),
    list: Queue.take(lists),
    end: Queue.take(ends),
    listen: Queue.take(interests),
    measure: Queue.take(measures),
    usersChanged: Queue.take(usersChanges),
    stop: Deferred.await(stop),
    lost: (happen) => {
      process.once("disconnect", happen)
      if (!process.connected) happen()
      return () => process.off("disconnect", happen)
    }
  }
})
