/**
 * Passes the body of a message on from one connection to another, or discards it.
 */
import type { BodyReader } from "../wire/HttpBody.ts"
import * as HttpFields from "../wire/HttpFields.ts"
import { BodyRelay } from "./BodyRelay.ts"
import type { HttpInput, Taker } from "./HttpInput.ts"
import type { HttpOutput } from "./HttpOutput.ts"

/** The end of a body. */
export interface BodyEnd {
  /** The whole body was taken and, if it was passed on, written. */
  readonly whole: () => void
  readonly malformed: (reason: string) => void
  /** The other side has sent FIN. A body without a length ends so. */
  readonly ended: () => void
}

/** A body with more bytes left than this is relayed by the transport. */
const longBody = 2 * 1024 * 1024

export class HttpPump implements Taker {
  private readonly input: HttpInput
  private readonly reader: BodyReader
  private readonly output: HttpOutput | undefined
  private readonly end: BodyEnd
  /** Whether bytes of the body have come. */
  hasBegun = false
  private isStopped = false
  private relay: BodyRelay | undefined = undefined

  /** Without `output` the body is discarded. */
  constructor(input: HttpInput, reader: BodyReader, output: HttpOutput | undefined, end: BodyEnd) {
    this.input = input
    this.reader = reader
    this.output = output
    this.end = end
  }

  /** Begins; calls `whole` at once if nothing is to come. */
  start(): void {
    if (this.reader.isEnd) this.finish()
    else this.input.want(this)
  }

  /** Takes no more bytes. */
  stop(): void {
    this.isStopped = true
    this.relay?.stop()
    this.input.want()
  }

  take(bytes: Buffer): void {
    const { input, reader, output } = this
    const pieces: Array<Uint8Array> = []
    this.hasBegun = true
    const size = reader.take(bytes, pieces)
    output?.body(pieces)
    // Before `use`, which may read on.
    const isLong = (reader.left ?? 0) > longBody && input.canLend && output?.isPlain === true
    if (isLong || reader.isEnd || reader.problem !== undefined) input.want()
    else if (output?.isFull) {
      input.want()
      output.whenDrained(this.goOn)
    }
    input.use(size)
    if (isLong) this.passOn(output!)
    else if (reader.isEnd) this.finish()
    else if (reader.problem !== undefined) this.end.malformed(reader.problem)
  }

  ended(): void {
    const { reader } = this
    if (reader.problem !== undefined) this.end.malformed(reader.problem)
    else if (reader.close === undefined) this.end.ended()
    else {
      reader.close()
      this.finish()
    }
  }

  /** Leaves the most of a long body to the transport. */
  private passOn(output: HttpOutput): void {
    const { input, reader } = this
    output.flush()
    this.relay = new BodyRelay({
      from: input,
      to: output.transport,
      left: reader.left!,
      onMoved: (bytes) => {
        reader.pass?.(bytes)
        input.onRead(bytes)
        output.onWritten(bytes)
      },
      onDone: (isLost) => {
        this.relay = undefined
        // The rest of the body cannot be told from what is behind it.
        if (isLost) reader.pass?.(Number.NEGATIVE_INFINITY)
        if (reader.isEnd) this.finish()
        else this.goOn()
      }
    })
    this.relay.start()
  }

  private readonly goOn = (): void => {
    if (!this.isStopped) this.input.want(this)
  }

  private finish(): void {
    this.output?.end(HttpFields.trailers(this.reader.trailers))
    this.end.whole()
  }
}
