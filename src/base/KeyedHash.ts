/**
 * Keyed hashes of what clients send: names for things in tables and files that
 * tell nothing of them, and of which nobody without the key can find two alike.
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
