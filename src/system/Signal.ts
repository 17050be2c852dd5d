/**
 * Signals of the system, as something to wait for.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"

/** An element for each time that the process gets the signal, or one for several if nobody took the first. */
export const received = (signal: NodeJS.Signals): Stream.Stream<void> =>
  Stream.callback(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const notice = () => void Queue.offerUnsafe(queue, undefined)
          process.on(signal, notice)
          return notice
        }),
        (notice) => Effect.sync(() => process.off(signal, notice))
      ),
    { bufferSize: 1, strategy: "sliding" }
  )
