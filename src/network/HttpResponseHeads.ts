/**
 * Reads the heads of the responses to one request: interim ones, of which there may be several, and the final one.
 */
import * as Result from "effect/Result"
import { BadResponse } from "../Errors.ts"
import { isIncomplete } from "../wire/Decoder.ts"
import * as HttpHead from "../wire/HttpHead.ts"
import type { HttpInput, Taker } from "./HttpInput.ts"

export interface Reading {
  /** An interim response. */
  readonly inform: (response: HttpHead.ResponseHead) => void
  /** The final response. Its head is read, and no byte behind it. */
  readonly respond: (response: HttpHead.ResponseHead) => void
  /** The origin speaks another protocol from here on. */
  readonly switched: (response: HttpHead.ResponseHead) => void
  readonly failed: (error: BadResponse) => void
  /** The origin has sent FIN before a final response. */
  readonly ended: () => void
}

/** The most interim responses (1xx) of a request. */
const interimLimit = 16

/** The most empty lines in front of the heads of responses. */
const emptyLimit = 8

export class HttpResponseHeads implements Taker {
  readonly byLine = true
  /** Whether the origin has asked for the body of the request. */
  isContinued = false
  private readonly input: HttpInput
  private readonly reading: Reading
  private interims = 0
  private emptyLines = 0

  constructor(input: HttpInput, reading: Reading) {
    this.input = input
    this.reading = reading
  }

  take(bytes: Buffer): void {
    const { input, reading } = this
    if (bytes[0] === 0x0d && bytes[1] === 0x0a) {
      input.use(2)
      if (++this.emptyLines > emptyLimit) this.fail("empty lines instead of a response")
      return
    }
    const decoded = HttpHead.response(bytes)
    if (Result.isFailure(decoded)) {
      if (!isIncomplete(decoded.failure)) reading.failed(decoded.failure)
      return
    }
    const { value, size } = decoded.success
    input.use(size)
    if (value.status === 101) reading.switched(value)
    else if (value.status < 200) this.interim(value)
    else reading.respond(value)
  }

  ended(): void {
    this.reading.ended()
  }

  private interim(response: HttpHead.ResponseHead): void {
    // One 100 says all that 100 can say.
    const isAgain = response.status === 100 && this.isContinued
    this.isContinued ||= response.status === 100
    if (++this.interims > interimLimit) this.fail("too many interim responses")
    else if (!isAgain) this.reading.inform(response)
  }

  private fail(reason: string): void {
    this.reading.failed(new BadResponse({ reason }))
  }
}
