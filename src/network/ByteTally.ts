/**
 * What a request moves, counted at the sockets: heads, framing and bodies, on
 * the client's connection and on the target's.
 */
import type { Traffic } from "./RelayPair.ts"

/** A byte that passes both connections counts once: each direction counts what the busier connection had. */
export class ByteTally {
  fromClient = 0
  toTarget = 0
  fromTarget = 0
  toClient = 0
  private readonly traffic: Traffic
  private sent = 0
  private received = 0

  /** Adds what moves to `traffic`, while it moves. */
  constructor(traffic: Traffic) {
    this.traffic = traffic
  }

  /** All that has moved, by which a standstill is known. */
  get moved(): number {
    return this.fromClient + this.toTarget + this.fromTarget + this.toClient
  }

  add(way: "fromClient" | "toTarget" | "fromTarget" | "toClient", bytes: number): void {
    this[way] += bytes
    const sent = Math.max(this.fromClient, this.toTarget)
    const received = Math.max(this.fromTarget, this.toClient)
    // Added, as a tunnel behind the head counts on the same traffic.
    this.traffic.sent += sent - this.sent
    this.traffic.received += received - this.received
    this.sent = sent
    this.received = received
  }
}
