/**
 * The address and port from which the client of an association sends its datagrams, and the client's rate.
 */
import type { RemoteInfo } from "node:dgram"
import type * as Clock from "effect/Clock"
import * as Equal from "effect/Equal"
import type * as NetAddress from "effect/net/NetAddress"
import { fromNode } from "../network/NodeAddress.ts"

export class ClientEndpoint {
  /** The client's address and port, after its first datagram. */
  source: Pick<RemoteInfo, "address" | "port"> | undefined
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
  isClient({ address, port }: RemoteInfo): boolean {
    if (this.source) return port === this.source.port && address === this.source.address
    const { declared } = this
    return (
      (declared.port === 0 || port === declared.port) &&
      Equal.equals(fromNode(address, port).address, declared.address)
    )
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
  learn({ address, port }: RemoteInfo): void {
    this.source ??= { address, port }
  }
}
