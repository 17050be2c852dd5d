/**
 * Amounts of usage.
 */
import { type Amount, nothing } from "../../src/usage/Amount.ts"

/** So many bytes, and nothing else. */
export const received = (bytes: number): Amount => ({ ...nothing, received: bytes })
