/**
 * Waits for several callbacks.
 */

/** Calls `done` when all calls that `one` has returned were called, and `close`: with whether all were called with true. */
export const gather = (done: (areAll: boolean) => void) => {
  let open = 1
  let areAll = true
  const end = (is: boolean) => {
    areAll &&= is
    if (--open === 0) done(areAll)
  }
  const one = () => {
    open++
    return end
  }
  return { one, close: () => end(true) }
}
