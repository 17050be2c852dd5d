/**
 * A TCP connection without a network: two ends in memory, with TCP's half-close
 * and its reset.
 */
import { type Duplex, duplexPair } from "node:stream"

/**
 * Both ends of a TCP connection in memory, with its half-close and its reset. Destroying one before its time
 * resets the other.
 *
 * **When to use**
 *
 * Use it for a stream that a `Dialer` or `Connection.handle` of a test gets.
 *
 * **Example** (Both ends)
 *
 * ```ts
 * import { NodeTransport } from "effect-socks"
 * import { pair, peer } from "effect-socks/testing"
 *
 * const [near, far] = pair()
 * const client = peer(near)
 * const transport = NodeTransport.make(far)
 * ```
 */
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
