/**
 * Numbers for sessions that no other process has: the primary hands them out in
 * blocks, the next one before it is needed.
 */

/** The first number and the one behind the last. */
export type Block = readonly [from: number, to: number]

const size = 10_000

/** The primary's side. */
export const blocks = () => {
  let next = 1
  return (): Block => {
    const from = next
    next += size
    return [from, next]
  }
}

export interface SessionIds {
  readonly next: () => number
  readonly add: (block: Block) => void
}

/** A worker's side. `ask` is called when another block is needed soon. */
export const make = (first: Block, ask: () => void): SessionIds => {
  let [next, end] = first
  let spare: Block | undefined
  return {
    next: () => {
      if (next === end - size / 2) ask()
      if (next === end) {
        // The primary has not answered for so many sessions: these numbers are in no block.
        ;[next, end] = spare ?? [process.pid * 2 ** 31, Infinity]
        spare = undefined
      }
      return next++
    },
    add: (block) => {
      spare = block
    }
  }
}
