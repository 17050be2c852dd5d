/**
 * What a machine may use of a limit while it has no store, when its leases have ended.
 */

/**
 * `share`: its part, by the number of machines last seen, but at least one. `deny`: nothing more. `keep`: what it had
 * leased last.
 */
export type Fault = "share" | "deny" | "keep"

/** What a machine may use of a limit without a store. `had` is what it had leased last. */
export const allowed = (fault: Fault, limit: number, machines: number, had: number): number => {
  switch (fault) {
    case "share":
      return Math.max(Math.floor(limit / machines), 1)
    case "deny":
      return 0
    case "keep":
      return had
  }
}
