/**
 * The addresses of Node's inspector, which are no targets for clients.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { inspector } from "./Inspector.ts"

/** The variable in which a worker gets the URL of its primary's inspector. */
const variable = "EFFECT_SOCKS_INSPECTOR"

/** The environment by which child processes know of the inspector of this one. */
export const environment = (): Readonly<Record<string, string>> => {
  const url = inspector?.url()
  return url === undefined ? {} : { [variable]: url }
}

const read = (url: string | undefined): ReadonlyArray<NetAddress.InetAddress> => {
  if (url === undefined || !URL.canParse(url)) return []
  const { hostname, port } = new URL(url)
  const host = Option.getOrUndefined(
    Result.getSuccess(NetAddress.ipFromString(hostname.replace(/^\[|\]$/g, "")))
  )
  // A host name, of this machine.
  const hosts = host === undefined ? ["127.0.0.1", "::1"].map(NetAddress.ipFromStringUnsafe) : [host]
  return hosts.map((host) => NetAddress.inetAddressUnsafe(host, Number(port)))
}

const ofPrimary = read(process.env[variable])
let last: { readonly url: string | undefined; readonly addresses: ReadonlyArray<NetAddress.InetAddress> } = {
  url: undefined,
  addresses: ofPrimary
}

/** The addresses of the inspectors of this process and of the primary, at the moment. */
export const addresses = (): ReadonlyArray<NetAddress.InetAddress> => {
  const url = inspector?.url()
  if (url !== last.url) last = { url, addresses: [...read(url), ...ofPrimary] }
  return last.addresses
}
