/**
 * A connection to an origin server that speaks HTTP/1, for one request after another.
 */
import type * as NetAddress from "effect/net/NetAddress"
import { ByteTally } from "./ByteTally.ts"
import type { HttpUpstream, Outgoing, Way } from "./Dialer.ts"
import { HttpInput } from "./HttpInput.ts"
import { HttpOutput } from "./HttpOutput.ts"
import type { Transport } from "./Transport.ts"

export class HttpOrigin {
  readonly transport: Transport
  /** The origin's address, which the policy has judged. */
  readonly remote: NetAddress.InetAddress
  /** The way of the connection, for the log. */
  readonly way: Way | undefined
  /** The upstream that takes the requests; undefined for the origin itself. */
  readonly upstream: HttpUpstream | undefined
  readonly input: HttpInput
  readonly output: HttpOutput
  /** Counts the bytes of the present request and its response. */
  tally = new ByteTally({ sent: 0, received: 0 })
  /** Called when the origin takes no more bytes. What it has sent before is still read. */
  onWriteFailed: () => void = ignored
  /** Whether a response came on this connection before. */
  isReused = false
  /** The error of a failed write. */
  private writeFailure: NodeJS.ErrnoException | undefined = undefined
  private readonly release: () => void

  /** Takes over a paused connection. `release` closes it, and gives back what belongs to it. */
  constructor(
    { transport, remote, way, upstream, early = nothing }: Omit<Outgoing, "local">,
    release: () => void
  ) {
    this.transport = transport
    this.remote = remote
    this.way = way
    this.upstream = upstream
    this.release = release
    this.output = new HttpOutput(transport, (bytes) => this.tally.add("toTarget", bytes))
    this.input = new HttpInput(transport, early, (bytes) => this.tally.add("fromTarget", bytes))
    transport.keepReading?.((error) => {
      this.writeFailure = error
      this.onWriteFailed()
    })
  }

  /** Whether the origin may still take bytes. */
  get isOpen(): boolean {
    return this.transport.isWritable && !this.transport.hasEnded && this.writeFailure === undefined
  }

  /** Whether another request can be sent, after a whole response. */
  get isClean(): boolean {
    return this.isOpen && !this.input.hasBytes
  }

  /**
   * Whether the connection was cut off. RST behind FIN is none: then a write fails with EPIPE, or else with ECONNRESET.
   */
  get isCutOff(): boolean {
    return this.transport.failure !== undefined || this.writeFailure?.code === "ECONNRESET"
  }

  /** The message of the error that broke the connection. */
  get failure(): string | undefined {
    return this.transport.failure?.message ?? this.writeFailure?.message
  }

  /** Calls `then` when the origin sends or ends something unasked, or the connection closes. */
  watch(then: () => void): void {
    this.input.pace(undefined)
    this.input.onClosed = then
    this.input.want({ take: then, ended: then })
  }

  /** Hears nothing more of the connection. */
  forget(): void {
    this.onWriteFailed = ignored
    this.input.onClosed = ignored
    this.input.want()
  }

  /** Closes the connection; by RST if a message on it has broken off. */
  close(isBroken = false): void {
    this.forget()
    if (isBroken) this.transport.reset()
    this.release()
  }
}

const ignored = (): void => {}

const nothing = new Uint8Array(0)
