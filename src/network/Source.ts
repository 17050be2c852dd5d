/**
 * The addresses of this machine from which connections and datagrams leave.
 */
import * as Context from "effect/Context"
import type * as NetAddress from "effect/net/NetAddress"

export interface Source {
  /** The address for targets of this family; undefined if none may be used, so that nothing leaves from another one. */
  readonly of: (isIpv4: boolean) => NetAddress.IpAddress | undefined
}

/** The source of what is dialled and bound here; undefined where the system chooses. */
export const CurrentSource = Context.Reference<Readonly<Source> | undefined>(
  "effect-socks/network/CurrentSource",
  {
    defaultValue: () => undefined
  }
)
