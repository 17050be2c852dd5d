/**
 * The address and port from which the client of an association sends its datagrams, and the client's rate.
 */
import type * as Clock from "effect/Clock"
import * as Equal from "effect/Equal"
import type * as NetAddress from "effect/net/NetAddress"
import type { UdpEndpoint } from "../network/UdpSocket.ts"

export class ClientEndpoint {
  /** The client's address and port, after its first datagram. */
  source: UdpEndpoint | undefined
  private readonly declared: { readonly address: NetAddress.IpAddress; readonly port: number }
  private readonly mostEachSecond: number
  private readonly clock: Clock.Clock
  private second = 0
  private inSecond = 0

  /** `declared` has port 0 if the client did not declare its port. `rate` is a number of datagrams a second. */
  constructor(declared: ClientEndpoint["declared"], rate: number | "off", clock: Clock.Clock) {
    this.declared = declared
    this.mostEachSecond = rate === "off" ? Infinity : rate
    this.clock = clock
  }

  /** Whether a datagram from this address and port is the client's. */
  isClient(from: UdpEndpoint): boolean {
    if (this.source) return from === this.source || from.key === this.source.key
    const { declared } = this
    const { address, port } = from.at
    return (declared.port === 0 || port === declared.port) && Equal.equals(address, declared.address)
  }

  /** Counts a datagram of the client. Returns whether the client has used up its rate for this second. */
  isTooMuch(): boolean {
    const now = Math.floor(this.clock.currentTimeMillisUnsafe() / 1000)
    if (now !== this.second) {
      this.second = now
      this.inSecond = 0
    }
    return ++this.inSecond > this.mostEachSecond
  }

  /** Keeps the address and port of the client's first datagram: later datagrams come from the same, or are dropped. */
  learn(from: UdpEndpoint): void {
    this.source ??= from
  }
}
