/**
 * Numbers of sessions, unique over all members: the seat hands them out in
 * blocks, and a member asks for the next block before it needs one.
 */

/** The first number of a block, and the number after the last. */
export type Block = readonly [from: number, to: number]

const size = 10_000

/** The seat's side: returns the next block at each call. */
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

/** The member's side. `ask` is called when half of a block is used. */
export const make = (first: Block, ask: () => void): SessionIds => {
  let [next, end] = first
  let spare: Block | undefined
  return {
    next: () => {
      if (next === end - size / 2) ask()
      if (next === end) {
        // The seat has not answered for half a block of sessions. These numbers are in no block.
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
