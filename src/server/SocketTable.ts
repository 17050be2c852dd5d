/**
 * The addresses of sockets that other programs bound, from the tables of Linux
 * (proc_net(5)). Node tells only the addresses of sockets that it listens on.
 */
import { readFileSync } from "node:fs"
import { endianness } from "node:os"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"

export type Place = Host.HostPort | NetAddress.UnixPathAddress

/** The place of the listening socket with this inode; nothing if it is in no table, as those of another network namespace are. */
export const placeOf = (inode: number): Place | undefined =>
  inetPlace("tcp", inode) ?? inetPlace("tcp6", inode) ?? unixPlace(inode)

/** Fields: sl local rem st tx:rx tr:when retrnsmt uid timeout inode … */
const inetPlace = (table: "tcp" | "tcp6", inode: number): Place | undefined => {
  const fields = row(table, 9, inode)
  if (fields?.[3] !== listening) return undefined
  const [address = "", port = ""] = fields[1]!.split(":")
  const bytes = bytesOf(address)
  const ip =
    bytes.length === 4 ? NetAddress.ipv4FromBytesUnsafe(bytes) : NetAddress.ipv6FromBytesUnsafe(bytes)
  return Host.hostPortUnsafe(NetAddress.toCanonical(ip), Number.parseInt(port, 16))
}

/** Fields: Num RefCount Protocol Flags Type St Inode Path. */
const unixPlace = (inode: number): Place | undefined => {
  const path = row("unix", 6, inode)?.slice(7).join(" ")
  return path ? NetAddress.unixPathAddress(path) : undefined
}

/** TCP_LISTEN. */
const listening = "0A"

/** The fields of the row that has this inode in this column. */
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

/** Addresses are written as words of the machine's own byte order. */
const bytesOf = (hex: string): Buffer => {
  const bytes = Buffer.from(hex, "hex")
  return endianness() === "LE" ? bytes.swap32() : bytes
}
