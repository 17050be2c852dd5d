/**
 * A TCP connection without a network: two ends in memory, with TCP's half-close
 * and its reset.
 */
import { type Duplex, duplexPair } from "node:stream"

/** Both ends. Destroying one before its time resets the other. */
export const pair = (): readonly [Duplex, Duplex] => {
  const [one, other] = duplexPair()
  const propagate = (from: Duplex, to: Duplex) =>
    from.once("close", () => {
      if (from.readableEnded && from.writableFinished) return
      to.destroy(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }))
    })
  propagate(one, other)
  propagate(other, one)
  // A reset that nobody waits for is no crash.
  for (const end of [one, other]) end.on("error", () => {})
  return [one, other]
}
