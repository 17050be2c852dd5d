/**
 * The messages to one worker process. A message before the worker listens would be lost, so messages wait until the
 * first message of the worker.
 */
import type { Worker } from "node:cluster"
import * as MessageBatch from "./MessageBatch.ts"
import type { Texts, ToWorker } from "./Messages.ts"
import * as Pieces from "./Pieces.ts"

export interface Outbox {
  /** Sends a message, its large texts in pieces. */
  readonly send: (message: ToWorker) => void
  /** Sends the waiting messages: the worker listens. */
  readonly open: () => void
  /** Whether the worker has sent a message. */
  readonly isOpen: () => boolean
}

export const make = (worker: Worker): Outbox => {
  const post = MessageBatch.outgoing<ToWorker>(
    (batch) => {
      // The worker has ended.
      if (worker.isConnected()) worker.process.send(batch, undefined, undefined, () => {})
    },
    ({ _tag }) => _tag === "piece"
  )
  let waiting: Array<ToWorker> | undefined = []
  const queue = (message: ToWorker) => (waiting ? void waiting.push(message) : post(message))
  return {
    send: (message) => {
      if (!("texts" in message)) return queue(message)
      const { value, pieces } = Pieces.apart(message.texts)
      for (const piece of pieces) queue(piece)
      queue({ ...message, texts: value as Texts })
    },
    open: () => {
      const messages = waiting ?? []
      waiting = undefined
      messages.forEach(post)
    },
    isOpen: () => waiting === undefined
  }
}
