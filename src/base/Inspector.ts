/**
 * Node's inspector. The inspector runs any code that it gets at its port, and clients of
 * a proxy on the same machine could reach that port through the proxy.
 */
import type * as NodeInspector from "node:inspector"

/** Undefined in a Node that was built without the inspector. */
export const inspector = ((): typeof NodeInspector | undefined => {
  try {
    return process.getBuiltinModule("node:inspector")
  } catch {
    return undefined
  }
})()

/** Whether this process was started with a flag for the inspector. */
export const isAskedFor = (): boolean =>
  [...process.execArgv, ...(process.env.NODE_OPTIONS ?? "").split(/\s+/)].some((flag) =>
    /^--inspect(-brk|-wait)?(=|$)/.test(flag)
  )

/** Closes the inspector if it is open. */
export const close = (): void => {
  if (inspector?.url() !== undefined) inspector.close()
}
