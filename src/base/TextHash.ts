/**
 * A hash of a text that is the same on every machine. Anyone can compute it: it keeps nothing secret.
 */

/** FNV-1a, and mixed: from 0 to below 2³². */
export const hashOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return mixed(hash >>> 0)
}

/** The finalizer of MurmurHash3: each bit of the input changes half of the output. */
export const mixed = (value: number): number => {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
