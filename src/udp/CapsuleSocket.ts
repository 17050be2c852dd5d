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

export class CapsuleSocket implements UdpSocket, Receiver {
  readonly port = 0
  receiver: UdpReceiver | undefined = undefined
  private transport: Transport | undefined = undefined
  private readonly header: Uint8Array
  /** What stands for the client's address. */
  private readonly client: UdpEndpoint
  private readonly reader = new Capsule.CapsuleReader()
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
    this.received(Buffer.from(early))
    if (transport.hasEnded) this.ended()
    else transport.resume()
  }

  send(bytes: Buffer, from: number, _: UdpEndpoint, whenSent: WhenSent): void {
    const { transport } = this
    // As the queue of a socket that is full: the datagram is lost.
    if (!transport?.isWritable || transport.isFull) whenSent(new Error("no room"))
    else transport.write(Capsule.datagram(bytes.subarray(from)), () => whenSent(undefined))
  }

  received(chunk: Buffer): void {
    const problem = this.reader.take(chunk, (payload) => {
      this.receiver?.received(Buffer.concat([this.header, payload]), this.client)
    })
    if (problem === undefined) return
    this.transport?.reset()
    this.onOver("client reset")
  }

  ended(): void {
    this.onOver("finished")
  }

  closed(): void {
    this.onOver("client reset")
  }

  /** The connection is closed by its session. */
  close(): void {
    this.receiver = undefined
  }
}
