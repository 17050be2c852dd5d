/**
 * What the store's server tells of itself (`INFO`): which run it is, and why it is no store for a fleet.
 */

export interface StoreInfo {
  /** The run of the server: another one may have forgotten everything. */
  readonly run: string
  readonly isInCluster: boolean
  /** Why a fleet cannot use it. */
  readonly unfit: string | undefined
  /** What an operator should change. */
  readonly warning: string | undefined
}

type Fields = Readonly<Record<string, string | undefined>>

export const read = (info: string): StoreInfo => {
  const fields = fieldsOf(info)
  return {
    run: fields.run_id ?? "unknown",
    isInCluster: modeOf(fields) === "cluster",
    unfit: unfitOf(fields),
    warning: warningOf(fields)
  }
}

/** Why a fleet cannot use the cluster of a node, by what the node tells of it (`CLUSTER INFO`). */
export const unfitCluster = (info: string): string | undefined => {
  const { cluster_size: size, cluster_slots_assigned: slots } = fieldsOf(info)
  if (slots !== "16384") return `it is a node of a Redis Cluster that has ${slots} of 16384 hash slots`
  if (size === "1") return undefined
  return `it is one of ${size} servers of a Redis Cluster: a fleet needs one server that has all keys`
}

/** Redis says `redis_mode`, and Valkey may say `server_mode`. */
const modeOf = ({ redis_mode, server_mode }: Fields): string | undefined => redis_mode ?? server_mode

const fieldsOf = (info: string): Fields =>
  Object.fromEntries(
    Array.from(info.matchAll(/^(\w+):(.*?)\r?$/gm), ([, name = "", value = ""]) => [name, value])
  )

const unfitOf = (fields: Fields): string | undefined => {
  if (modeOf(fields) === "sentinel")
    return "it is a Sentinel: the URL is to lead to the server that it watches"
  if (fields.role === "slave")
    return "it is a replica, which takes no changes: the URL is to lead to its primary"
  return undefined
}

const warningOf = ({
  maxmemory = "0",
  maxmemory_policy: policy = "noeviction"
}: Fields): string | undefined =>
  maxmemory === "0" || policy === "noeviction"
    ? undefined
    : `the fleet's store can evict keys, each of which is a limit: maxmemory-policy is ${policy}, and should be noeviction`
