/**
 * Numbers and times as people read them.
 */
import { size } from "../src/base/Quantity.ts"

export { age, size } from "../src/base/Quantity.ts"

export const rate = (bytes: number): string => `${size(bytes)}/s`

export const count = (value: number): string => value.toLocaleString("en")

export const time = (at: number): string => new Date(at).toLocaleTimeString()

export const dateTime = (at: number): string => new Date(at).toLocaleString()
