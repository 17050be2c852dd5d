/**
 * What replies of scripts have to look like. What is in the store is not trusted: a number that is none would be below every
 * limit.
 */

/** Whether a value is as it has to be. */
export type Shape = (value: unknown) => boolean

export const integer: Shape = Number.isSafeInteger

export const text: Shape = (value) => typeof value === "string"

export const listOf =
  (item: Shape): Shape =>
  (value) =>
    Array.isArray(value) && value.every(item)

/** A list with these items, of which the last ones may be missing from `least` on. */
export const tuple = (items: ReadonlyArray<Shape>, least = items.length): Shape => {
  return (value) =>
    Array.isArray(value) &&
    value.length >= least &&
    value.length <= items.length &&
    value.every((item, index) => items[index]!(item))
}
