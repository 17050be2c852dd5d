/**
 * The addresses of listening sockets that another program bound, from the tables of Linux (proc_net(5)). Node reports
 * only the addresses of its own listeners.
 */
import { readFileSync } from "node:fs"
import { endianness } from "node:os"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"

export type Place = Host.HostPort | NetAddress.UnixPathAddress

/** The address of the listening socket with this inode; undefined if it is in no table of this network namespace. */
export const placeOf = (inode: number): Place | undefined =>
  inetPlace("tcp", inode) ?? inetPlace("tcp6", inode) ?? unixPlace(inode)

/** Columns: sl local rem st tx:rx tr:when retrnsmt uid timeout inode … */
const inetPlace = (table: "tcp" | "tcp6", inode: number): Place | undefined => {
  const fields = row(table, 9, inode)
  if (fields?.[3] !== listening) return undefined
  const [address = "", port = ""] = fields[1]!.split(":")
  const bytes = bytesOf(address)
  const ip =
    bytes.length === 4 ? NetAddress.ipv4FromBytesUnsafe(bytes) : NetAddress.ipv6FromBytesUnsafe(bytes)
  return Host.hostPortUnsafe(NetAddress.toCanonical(ip), Number.parseInt(port, 16))
}

/** Columns: Num RefCount Protocol Flags Type St Inode Path. */
const unixPlace = (inode: number): Place | undefined => {
  const path = row("unix", 6, inode)?.slice(7).join(" ")
  return path ? NetAddress.unixPathAddress(path) : undefined
}

/** The state TCP_LISTEN. */
const listening = "0A"

/** The columns of the row that has this inode in this column. */
const row = (table: string, column: number, inode: number): ReadonlyArray<string> | undefined => {
  try {
    return readFileSync(`/proc/net/${table}`, "utf8")
      .split("\n")
      .map((line) => line.trimStart().split(/ +/))
      .find((fields) => fields[column] === String(inode))
  } catch {
    return undefined
  }
}

/** The bytes of an address, which the table has as 32-bit words in the machine's byte order. */
const bytesOf = (hex: string): Buffer => {
  const bytes = Buffer.from(hex, "hex")
  return endianness() === "LE" ? bytes.swap32() : bytes
}
