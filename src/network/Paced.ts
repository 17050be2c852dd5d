/**
 * A stream that lets bytes through as fast as they may go.
 */
import { Transform } from "node:stream"
import type { Lane } from "./Pacer.ts"

export const make = (lane: Lane): Transform =>
  new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      const go = () => done(null, chunk)
      if (lane.pass(chunk.length, go)) go()
    }
  })
