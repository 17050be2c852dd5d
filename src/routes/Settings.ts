/**
 * The settings of routes.
 */
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"
import type * as TargetPattern from "../config/TargetPattern.ts"
import * as NoProxy from "./NoProxy.ts"
import * as RouteOptions from "./RouteOptions.ts"
import * as UpstreamUrl from "./UpstreamUrl.ts"

export class RouteSettings extends Section.make<RouteSettings>()("effect-socks/routes/Settings", {
  upstream: Setting.many<UpstreamUrl.Upstream>({
    description:
      "Proxy through which all targets are reached. It is socks5://USER:PASSWORD@HOST:1080, socks4://, http:// or " +
      "https://. Several are a chain, the one next to this server first",
    metavar: "URL",
    read: UpstreamUrl.fromString,
    expected: UpstreamUrl.expected,
    default: [],
    defaultText: "none",
    separator: /\s+/,
    isSecret: true
  }),
  noProxy: Setting.many<TargetPattern.TargetPattern>({
    description:
      "Target that is reached directly in spite of --upstream: a name and the names below it, a network, or an address",
    metavar: "TARGET",
    read: NoProxy.fromString,
    expected: NoProxy.expected,
    default: [],
    defaultText: "none",
    separator: /[\s,]+/
  }),
  routes: Setting.structured({
    description:
      "Ways to targets that rules name: a name, and via (a URL of an upstream, or several as a chain) or members",
    form: RouteOptions.form,
    default: [] as ReadonlyArray<RouteOptions.RouteOptions>,
    defaultText: "none"
  })
}) {}
