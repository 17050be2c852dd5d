/**
 * The bytes of an HTTP request and its response, counted at the sockets of client and target: heads, framing and
 * bodies.
 */
import type { Traffic } from "./RelayPair.ts"

/** Each direction counts once, by the connection with more bytes: most bytes pass both connections. */
export class ByteTally {
  fromClient = 0
  toTarget = 0
  fromTarget = 0
  toClient = 0
  private readonly traffic: Traffic
  private sent = 0
  private received = 0

  /** Adds the bytes to `traffic` as they move. */
  constructor(traffic: Traffic) {
    this.traffic = traffic
  }

  /** The bytes of all four counters. Unchanged while nothing moves. */
  get moved(): number {
    return this.fromClient + this.toTarget + this.fromTarget + this.toClient
  }

  add(way: "fromClient" | "toTarget" | "fromTarget" | "toClient", bytes: number): void {
    this[way] += bytes
    const sent = Math.max(this.fromClient, this.toTarget)
    const received = Math.max(this.fromTarget, this.toClient)
    // Added to and not assigned, because a tunnel after the head of CONNECT counts in the same traffic.
    this.traffic.sent += sent - this.sent
    this.traffic.received += received - this.received
    this.sent = sent
    this.received = received
  }
}
