/**
 * One relay: two directions, each ending by itself.
 */
import type { Duplex } from "node:stream"
import * as BulkReader from "./BulkReader.ts"
import { probe, reset } from "./Duplexes.ts"

/** Bytes moved so far, kept up to date while they move. */
export interface Traffic {
  /** From the client to the target. */
  sent: number
  /** From the target to the client. */
  received: number
  /** Datagrams that went nowhere, where there are datagrams. */
  dropped?: number
}

/** How a relay came to its end. */
export type Ending =
  | "finished"
  | "client reset"
  | "target reset"
  | "idle"
  | "half-closed"
  // For what a whole session may have, by whoever counts that.
  | "lifetime"
  | "quota"

/** What is to be connected, both ends paused. */
export interface Ends {
  readonly client: Duplex
  readonly target: Duplex
  /** What the client sent ahead of its session. */
  readonly early: Uint8Array
  readonly traffic: Traffic
}

export interface Link {
  /** When a byte last moved, by the clock that `make` was given. */
  movedAt: number
  /** One direction has ended. */
  isHalfClosed: boolean
  /** Resets both ends. */
  readonly end: (ending: Ending) => void
}

/** One end of a link, which is also where the other end's bytes go. */
interface Side {
  duplex: Duplex
  readonly count: (bytes: number) => void
  /** What it is called when this side breaks off. */
  readonly cutOff: Ending
}

/** Connects two paused ends, and calls `onEnd` once when both are closed. */
export const make = (
  { client, target, early, traffic }: Ends,
  now: () => number,
  onEnd: (ending: Ending) => void
): Link => {
  let ending: Ending = "finished"
  let open = 2

  const one: Side = {
    duplex: client,
    count: (bytes) => {
      traffic.sent += bytes
    },
    cutOff: "client reset"
  }
  const other: Side = {
    duplex: target,
    count: (bytes) => {
      traffic.received += bytes
    },
    cutOff: "target reset"
  }

  const link: Link = {
    movedAt: now(),
    isHalfClosed: false,
    end: (reason) => {
      if (ending === "finished") ending = reason
      reset(one.duplex)
      reset(other.duplex)
    }
  }

  const moved = (side: Side, bytes: number) => {
    side.count(bytes)
    link.movedAt = now()
  }

  /** Passes on what an end sends, until it sends much. */
  const stream = (from: Side, to: Side) => {
    const source = from.duplex
    const limit = to.duplex.writableHighWaterMark
    let isPromoting = false
    source.on("data", (chunk: Buffer) => {
      moved(from, chunk.length)
      to.duplex.write(chunk)
      // Not what `write` returns: that is false for every large chunk, even one
      // that the kernel has taken whole.
      if (to.duplex.writableLength > limit) source.pause()
      if (chunk.length < BulkReader.fullRead || isPromoting) return
      isPromoting = true
      setImmediate(() => {
        isPromoting = promote(from, to)
      })
    })
  }

  const promote = (from: Side, to: Side): boolean => {
    const reader = BulkReader.promote(from.duplex, (chunk, written) => {
      moved(from, chunk.length)
      to.duplex.write(chunk)
      if (to.duplex.writableLength === 0) return true
      to.duplex.write(nothing, written)
      return false
    })
    if (reader === undefined) return false
    from.duplex = reader
    watch(from, to)
    reader.resume()
    return true
  }

  /** Passes on how an end ends. */
  const watch = (from: Side, to: Side) => {
    const { duplex } = from
    let isFinished = false
    const finished = () => {
      isFinished = true
      link.isHalfClosed = true
      link.movedAt = now()
      to.duplex.end()
    }
    const closed = () => {
      if (!isFinished && (duplex.errored || !duplex.readableEnded)) link.end(from.cutOff)
      // An end that had sent all it had and then broke has cut nothing off: the
      // other one still gets the rest, and what it sends goes nowhere.
      else if (!duplex.writableFinished) to.duplex.removeAllListeners("data").resume()
      if (--open === 0) onEnd(ending)
    }
    duplex.on("drain", () => to.duplex.resume())
    duplex.on("error", () => {
      if (ending === "finished") ending = from.cutOff
    })
    if (duplex.readableEnded) finished()
    else {
      duplex.once("end", () => {
        probe(duplex)
        setImmediate(() => {
          if (!duplex.errored) finished()
        })
      })
    }
    if (duplex.destroyed) setImmediate(closed)
    else duplex.once("close", closed)
  }

  if (early.length > 0) {
    moved(one, early.length)
    target.write(early)
  }
  stream(one, other)
  stream(other, one)
  watch(one, other)
  watch(other, one)
  client.resume()
  target.resume()
  return link
}

const nothing = Buffer.alloc(0)
