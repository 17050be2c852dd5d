/**
 * Whether several networks together cover another network.
 */
import { bit, type Words } from "../base/PrefixTree.ts"

/** A network: one word of 32 bits for IPv4, four for IPv6, of which the first `length` bits count. */
export interface Block {
  readonly words: Words
  readonly length: number
}

/** All of IPv4, and all of IPv6. */
export const everything: ReadonlyArray<Block> = [
  { words: [0], length: 0 },
  { words: [0, 0, 0, 0], length: 0 }
]

export const covers = (blocks: ReadonlyArray<Block>, whole: Block): boolean => {
  if (blocks.some((block) => contains(block, whole))) return true
  const inside = blocks.filter((block) => contains(whole, block))
  const left = inside.filter(({ words }) => bit(words, whole.length) === 0)
  const right = inside.filter(({ words }) => bit(words, whole.length) === 1)
  return left.length > 0 && right.length > 0 && covers(left, half(whole, 0)) && covers(right, half(whole, 1))
}

const contains = (one: Block, other: Block): boolean => {
  if (one.words.length !== other.words.length || one.length > other.length) return false
  for (let i = 0, rest = one.length; rest > 0; i++, rest -= 32) {
    const difference = one.words[i]! ^ other.words[i]!
    if (rest >= 32 ? difference !== 0 : difference >>> (32 - rest) !== 0) return false
  }
  return true
}

const half = ({ words, length }: Block, side: 0 | 1): Block => {
  const bits = Array.from(words)
  if (side === 1) bits[length >>> 5]! |= 1 << (31 - (length & 31))
  return { words: bits, length: length + 1 }
}
