/**
 * One relay: two directions, each ending by itself.
 */
import type { Duplex } from "node:stream"
import * as BulkReader from "./BulkReader.ts"
import { probe, reset } from "./Duplexes.ts"
import type { Lane, Pace } from "./Pacer.ts"

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
  // By whoever decides that it may be there no longer.
  | "denied"

/** What is to be connected, both ends paused. */
export interface Ends {
  readonly client: Duplex
  readonly target: Duplex
  /** What the client sent ahead of its session. */
  readonly early: Uint8Array
  readonly traffic: Traffic
  /** How fast the bytes may go, where that is limited. */
  readonly pace?: Pace | undefined
}

export interface Link {
  /** When a byte last moved, by the clock that `make` was given. */
  movedAt: number
  /** One direction has ended. */
  isHalfClosed: boolean
  /** Nothing moves because it would be too fast. */
  readonly isHeld: () => boolean
  /** Resets both ends. */
  readonly end: (ending: Ending) => void
}

/** One end of a link, which is also where the other end's bytes go. */
interface Side {
  duplex: Duplex
  readonly count: (bytes: number) => void
  /** What it is called when this side breaks off. */
  readonly cutOff: Ending
  /** What limits how fast its bytes go. */
  readonly lane: Lane | undefined
  /** Has sent all it may for now. */
  isHeld: boolean
}

/** Notes bytes that an end has sent. */
type Charge = (bytes: number) => void

/** Connects two paused ends, and calls `onEnd` once when both are closed. */
export const make = (
  { client, target, early, traffic, pace }: Ends,
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
    cutOff: "client reset",
    lane: pace?.upload,
    isHeld: false
  }
  const other: Side = {
    duplex: target,
    count: (bytes) => {
      traffic.received += bytes
    },
    cutOff: "target reset",
    lane: pace?.download,
    isHeld: false
  }

  const link: Link = {
    movedAt: now(),
    isHalfClosed: false,
    isHeld: () => one.isHeld || other.isHeld,
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

  /** Reads on, unless it is too early for that. */
  const proceed = (side: Side) => {
    if (!side.isHeld) side.duplex.resume()
  }

  /** What charges a lane for the bytes of its end, and holds that back where it has to wait. */
  const charging = (lane: Lane, from: Side, to: Side): Charge => {
    const go = () => {
      from.isHeld = false
      link.movedAt = now()
      if (to.duplex.writableLength === 0) from.duplex.resume()
      else to.duplex.write(nothing, () => proceed(from))
    }
    return (bytes) => {
      if (lane.pass(bytes, go)) return
      from.isHeld = true
      from.duplex.pause()
    }
  }

  /** Passes on what an end sends and how it ends. */
  const start = (from: Side, to: Side, early: number) => {
    const { lane } = from
    const charge = lane && charging(lane, from, to)
    // Where little may pass, one read as usual would be too much.
    const isSlow = lane !== undefined && lane.slice < BulkReader.fullRead
    if (!isSlow || !promote(from, to, charge)) {
      stream(from, to, charge)
      watch(from, to)
    }
    // What came early is charged too, and nobody starts ahead of those who wait.
    charge?.(early)
    proceed(from)
  }

  /** Passes on what an end sends, until it sends much. */
  const stream = (from: Side, to: Side, charge: Charge | undefined) => {
    const source = from.duplex
    const limit = to.duplex.writableHighWaterMark
    let isPromoting = false
    source.on("data", (chunk: Buffer) => {
      moved(from, chunk.length)
      to.duplex.write(chunk)
      // Not what `write` returns: that is false for every large chunk, even one
      // that the kernel has taken whole.
      if (to.duplex.writableLength > limit) source.pause()
      if (charge !== undefined) charge(chunk.length)
      if (chunk.length < BulkReader.fullRead || isPromoting) return
      isPromoting = true
      setImmediate(() => {
        isPromoting = promote(from, to, charge)
      })
    })
  }

  const promote = (from: Side, to: Side, charge: Charge | undefined): boolean => {
    const deliver: BulkReader.Deliver = (chunk, written) => {
      moved(from, chunk.length)
      to.duplex.write(chunk)
      if (charge !== undefined) charge(chunk.length)
      if (to.duplex.writableLength === 0) return true
      to.duplex.write(nothing, written)
      return false
    }
    const reader = BulkReader.promote(from.duplex, deliver, from.lane?.slice)
    if (reader === undefined) return false
    from.duplex = reader
    watch(from, to)
    proceed(from)
    return true
  }

  /** Passes on how an end ends. */
  const watch = (from: Side, to: Side) => {
    const { duplex } = from
    let isFinished = false
    const finished = () => {
      isFinished = true
      from.isHeld = false
      from.lane?.leave()
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
    duplex.on("drain", () => proceed(to))
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
  start(one, other, early.length)
  start(other, one, 0)
  return link
}

const nothing = Buffer.alloc(0)
