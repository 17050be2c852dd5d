/**
 * Bytes as tests write and cut them.
 */
import * as fc from "fast-check"

export const hex = (bytes: Iterable<number>): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ")

/** Two digits a byte, spaces as you like. */
export const fromHex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (byte) => Number.parseInt(byte, 16))

/** Text as UTF-8; a character above ÿ never stands for one byte. */
export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The same bytes, cut into pieces anywhere. */
export const cut = (bytes: ReadonlyArray<number>): fc.Arbitrary<ReadonlyArray<ReadonlyArray<number>>> =>
  fc.uniqueArray(fc.integer({ min: 1, max: Math.max(1, bytes.length - 1) })).map((places) => {
    const edges = [0, ...places.sort((a, b) => a - b), bytes.length]
    return edges.slice(1).map((end, i) => bytes.slice(edges[i], end))
  })
