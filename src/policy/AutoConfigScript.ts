/**
 * Writes the script of a proxy auto-config file, in the JavaScript that all browsers have.
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import type { PortRange } from "../config/Parsers.ts"
import { allows, type Rule } from "../config/Rule.ts"
import type { Rules } from "../config/RuleTable.ts"
import type { HostPattern } from "../config/TargetPattern.ts"

/** The request for a file. */
export interface Asked {
  /** The address of the proxy as the browser has written it, such as `proxy.example:1080`. */
  readonly proxy: string
  readonly isTls: boolean
  /** Undefined for a client of a Unix-domain socket. */
  readonly client: NetAddress.IpAddress | undefined
}

/** The most targets of a file: browsers refuse one that is larger than a MiB. */
const mostTargets = 2000

/** A target in the script: its kind, its name or network, its ports from the first to the last. */
type Entry = readonly [
  kind: "*" | "**" | "=" | "." | "4",
  name: string | readonly [number, number],
  ...PortRange
]

/**
 * Writes scripts. Without rules, all but the browser's own machine goes by the proxy. With rules, what a rule may allow
 * goes by the proxy, and the rest directly. Left out are rules about users, groups, listeners, and networks of other clients:
 * a stranger must not read them.
 */
export const make = (
  rules: Rules
): { readonly script: (asked: Asked) => string; readonly isCutShort: boolean } => {
  const open: Array<Rule> = []
  let count = 0
  let hasRules = false
  for (const rule of rules) {
    hasRules = true
    if (!allows(rule) || !isOpen(rule)) continue
    open.push(rule)
    count += Math.max(rule.to?.length ?? 1, 1) * Math.max(rule.ports?.length ?? 1, 1)
    if (count > mostTargets) return { script: (asked) => write(asked, undefined), isCutShort: true }
  }
  return {
    script: (asked) =>
      write(
        asked,
        hasRules ? open.filter((rule) => isFor(rule, asked.client)).flatMap(entriesOf) : undefined
      ),
    isCutShort: false
  }
}

/** Whether a rule is about requests of browsers, and says nothing of who may make them. */
const isOpen = ({ users, groups, listeners, commands, protocols }: Rule): boolean =>
  users === undefined &&
  groups === undefined &&
  listeners === undefined &&
  (commands === undefined || commands.some((command) => command === "connect" || command === "forward")) &&
  (protocols === undefined || protocols.includes("http"))

const isFor = ({ clients }: Rule, client: NetAddress.IpAddress | undefined): boolean =>
  clients === undefined ||
  (client !== undefined &&
    clients.some((network) => IpNetwork.contains(network, NetAddress.toCanonical(client))))

const everyPort: PortRange = [0, 65_535]

const entriesOf = ({ to, ports = [everyPort] }: Rule): ReadonlyArray<Entry> =>
  (to ?? [{ host: { _tag: "Any" } as const }]).flatMap(({ host, ports: own = everyPort }) => {
    const target = targetOf(host)
    return ports.flatMap(([first, last]): ReadonlyArray<Entry> => {
      const range = [Math.max(first, own[0]), Math.min(last, own[1])] as const
      return target === undefined || range[0] > range[1] ? [] : [[...target, ...range]]
    })
  })

/** The script knows no networks of IPv6: browsers write such addresses in several ways. */
const targetOf = (host: HostPattern): readonly [Entry[0], Entry[1]] | undefined => {
  switch (host._tag) {
    case "Any":
      return ["*", ""]
    case "AnyName":
      return ["**", ""]
    case "Name":
      return ["=", host.name]
    case "Suffix":
      return [".", `.${host.suffix}`]
    case "Network": {
      const { address, prefixLength } = host.network
      if (!NetAddress.isIpv4Address(address)) return undefined
      const [a, b, c, d] = NetAddress.ipv4ToOctets(address)
      return ["4", [((a * 256 + b) * 256 + c) * 256 + d, 2 ** (32 - prefixLength)]]
    }
  }
}

/** Undefined targets are all. */
const write = (
  { proxy, isTls }: Asked,
  targets: ReadonlyArray<Entry> | undefined
): string => `function FindProxyForURL(url, host) {
  host = host.toLowerCase().replace(/^\\[|\\]$/g, "").replace(/\\.$/, "");
  if (host === "localhost" || /\\.localhost$/.test(host) || /^127\\.\\d+\\.\\d+\\.\\d+$/.test(host) || host === "::1") return "DIRECT";
  var proxy = ${JSON.stringify(`${isTls ? "HTTPS" : "PROXY"} ${proxy}`)};
${targets === undefined ? "  return proxy;" : choosing(targets)}
}
`

const choosing = (targets: ReadonlyArray<Entry>): string => `  var targets = ${JSON.stringify(targets)};
  var authority = /^(\\w+):\\/\\/(?:[^\\/?#]*@)?(?:\\[[^\\]]*\\]|[^:\\/?#]*)(?::(\\d+))?/.exec(url) || [];
  var port = authority[2] ? Number(authority[2]) : /^(https|wss)$/i.test(authority[1]) ? 443 : 80;
  var octets = /^(\\d+)\\.(\\d+)\\.(\\d+)\\.(\\d+)$/.exec(host);
  var number = octets ? ((+octets[1] * 256 + +octets[2]) * 256 + +octets[3]) * 256 + +octets[4] : -1;
  var isName = !octets && host.indexOf(":") === -1;
  for (var i = 0; i < targets.length; i++) {
    var kind = targets[i][0], name = targets[i][1];
    if (port < targets[i][2] || port > targets[i][3]) continue;
    if (kind === "*" || (kind === "**" && isName)) return proxy;
    if (kind === "=" && host === name) return proxy;
    if (kind === "." && host.length > name.length && host.slice(-name.length) === name) return proxy;
    if (kind === "4" && octets && number - (number % name[1]) === name[0]) return proxy;
  }
  return "DIRECT";`
