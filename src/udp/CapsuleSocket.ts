/**
 * The datagrams of a client with one target, in capsules on the client's connection, in the form of the socket of an
 * association. What comes from the client gets the header that datagrams of SOCKS have.
 */
import type { Ending } from "../network/Relay.ts"
import type { Receiver, Transport } from "../network/Transport.ts"
import type { UdpEndpoint, UdpReceiver, UdpSocket, WhenSent } from "../network/UdpSocket.ts"
import * as Capsule from "../wire/Capsule.ts"
import * as Datagram from "../wire/Datagram.ts"
import type { Target } from "../wire/Target.ts"

/**
 * The most capsules that are read in a turn of the event loop. A capsule may be three bytes and cost a system call, so a
 * read of a few KiB would keep all other sessions waiting.
 */
const mostInTurn = 64

export class CapsuleSocket implements UdpSocket, Receiver {
  readonly port = 0
  receiver: UdpReceiver | undefined = undefined
  private transport: Transport | undefined = undefined
  private readonly header: Uint8Array
  /** What stands for the client's address. */
  private readonly client: UdpEndpoint
  private readonly reader = new Capsule.CapsuleReader()
  /** Whether nothing is read, because capsules wait for their turn. */
  private isPaused = true
  private hasEnded = false
  private isOver = false
  private onOver: (ending: Ending) => void = () => {}

  constructor(target: Target, client: UdpEndpoint) {
    this.header = Datagram.headerOf(target)
    this.client = client
  }

  /** Begins to read a paused connection. `early` was read before. Calls `over` when the client has ended, or sends what is no capsule. */
  start(transport: Transport, early: Uint8Array, over: (ending: Ending) => void): void {
    this.transport = transport
    this.onOver = over
    transport.keepAlive()
    transport.listen(this)
    this.hasEnded = transport.hasEnded
    this.take(Buffer.from(early))
  }

  send(bytes: Buffer, from: number, _: UdpEndpoint, whenSent: WhenSent): void {
    const { transport } = this
    // As the queue of a socket that is full: the datagram is lost.
    if (!transport?.isWritable || transport.isFull) whenSent(new Error("no room"))
    else transport.write(Capsule.datagram(bytes.subarray(from)), () => whenSent(undefined))
  }

  received(chunk: Buffer): void {
    this.take(chunk)
  }

  ended(): void {
    this.hasEnded = true
    if (!this.isPaused) this.finish()
  }

  closed(): void {
    this.end("client reset")
  }

  /** The connection is closed by its session. */
  close(): void {
    this.receiver = undefined
  }

  /** Reads the capsules, over several turns if they are many. */
  private take(bytes: Buffer): void {
    let rest = bytes
    for (let i = 0; rest.length > 0 && !this.isOver; i++) {
      if (i === mostInTurn) {
        this.isPaused = true
        this.transport?.pause()
        setImmediate(() => this.take(rest))
        return
      }
      const size = this.reader.take(rest, this.onDatagram)
      if (typeof size === "string") {
        this.abort()
        return
      }
      rest = rest.subarray(size)
    }
    if (this.isPaused && !this.isOver) this.goOn()
  }

  private readonly onDatagram = (payload: Uint8Array): void => {
    this.receiver?.received(Buffer.concat([this.header, payload]), this.client)
  }

  private goOn(): void {
    this.isPaused = false
    if (this.hasEnded) this.finish()
    else this.transport?.resume()
  }

  /** An end in the middle of a capsule is none (RFC 9297 §3.3). */
  private finish(): void {
    if (this.reader.isWhole) this.end("finished")
    else this.abort()
  }

  private abort(): void {
    this.transport?.reset()
    this.end("client reset")
  }

  private end(ending: Ending): void {
    this.isOver = true
    this.onOver(ending)
  }
}
