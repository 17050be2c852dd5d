/**
 * A receiver and a mover that note what they are told.
 */
import type { Mover, Receiver } from "../../src/network/Transport.ts"

/** Both add to the same events. */
export const noting = () => {
  const events: Array<string> = []
  const note = (what: string) => () => void events.push(what)
  const receiver: Receiver = {
    received: (bytes) => void events.push(String(bytes)),
    ended: note("ended"),
    closed: note("closed")
  }
  const mover: Mover = {
    moved: (bytes) => void events.push(`moved ${bytes}`),
    missed: note("missed"),
    drained: note("drained"),
    ended: note("ended"),
    closed: note("closed")
  }
  return { events, receiver, mover }
}
