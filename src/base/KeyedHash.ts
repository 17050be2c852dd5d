/**
 * Keyed hashes of what clients send, as keys in tables and files. A hash tells
 * nothing of its input, and without the key no collision can be found.
 */
import * as Context from "effect/Context"

/** The hash of these parts, in this order. */
export type Digest = (...parts: ReadonlyArray<Uint8Array>) => string

export class KeyedHash extends Context.Service<
  KeyedHash,
  {
    readonly newKey: () => string
    readonly make: (key: string) => Digest
  }
>()("effect-socks/base/KeyedHash") {}
