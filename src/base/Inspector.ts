/**
 * Node's inspector. The inspector runs any code that it gets at its port, and clients of
 * a proxy on the same machine could reach that port through the proxy.
 */
import type * as NodeInspector from "node:inspector"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"

/** Undefined in a Node that was built without the inspector. */
const inspector = ((): typeof NodeInspector | undefined => {
  try {
    return process.getBuiltinModule("node:inspector")
  } catch {
    return undefined
  }
})()

/** The variable in which a worker gets the URL of its primary's inspector. */
const variable = "EFFECT_SOCKS_INSPECTOR"

/** Whether this process was started with a flag for the inspector. */
export const isAskedFor = (): boolean =>
  [...process.execArgv, ...(process.env.NODE_OPTIONS ?? "").split(/\s+/)].some((flag) =>
    /^--inspect(-brk|-wait)?(=|$)/.test(flag)
  )

/** Closes the inspector if it is open. */
export const close = (): void => {
  if (inspector?.url() !== undefined) inspector.close()
}

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
