/**
 * Passes most of a long body on without reading it: the transport relays it as the bytes of a tunnel. The last part is left
 * to the reader of the body, so that no byte behind the body is passed on with it.
 */
import type { Borrower, HttpInput } from "./HttpInput.ts"
import type { Transport } from "./Transport.ts"

export interface Options {
  readonly from: HttpInput
  readonly to: Transport
  /** The bytes of the body that are still to come. */
  readonly left: number
  /** Called with each number of bytes that were passed on. */
  readonly onMoved: (bytes: number) => void
  /**
   * Called at the end, when the connection is read again and all that was relayed is sent. `isLost`: bytes came that were not
   * passed on and not counted, because the other connection had closed.
   */
  readonly onDone: (isLost: boolean) => void
}

export class BodyRelay implements Borrower {
  private readonly options: Options
  private left: number
  private isLost = false
  private isOver = false

  constructor(options: Options) {
    this.options = options
    this.left = options.left
  }

  /** Begins when all that was written before is sent. */
  start(): void {
    const { from, to } = this.options
    from.reserve(this)
    const begin = () => this.isOver || from.lend(to, this)
    if (to.unsent > 0 && to.isWritable) to.write(nothing, begin)
    else begin()
  }

  /** Relays no more. */
  stop(): void {
    this.finish()
  }

  moved(bytes: number): void {
    const { from, to, onMoved } = this.options
    this.left -= bytes
    onMoved(bytes)
    if (this.left < from.largestMove) this.finish()
    else if (to.unsent > 0) {
      from.hold()
      to.write(nothing, () => this.isOver || from.letGoOn())
    }
  }

  missed(): void {
    this.isLost = true
    this.finish()
  }

  ended(): void {
    this.finish()
  }

  closed(): void {
    this.finish()
  }

  drained(): void {}

  /** Reads nothing more, until nothing of what was relayed waits: it may be in a buffer of the transport. */
  private finish(): void {
    if (this.isOver) return
    this.isOver = true
    const { from, to, onDone } = this.options
    from.hold()
    const back = () => setImmediate(() => from.takeBack(this) && onDone(this.isLost))
    if (to.unsent > 0 && to.isWritable) to.write(nothing, back)
    else back()
  }
}

const nothing = new Uint8Array(0)
