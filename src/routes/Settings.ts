/**
 * The settings of routes.
 */
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as EgressSource from "../config/EgressSource.ts"
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
  egress: Setting.many<EgressSource.EgressSource>({
    description:
      "Address from which connections and datagrams leave, or an interface that has it. Of several addresses and of a " +
      "network one is chosen by --egress-key. Targets of a family without an address are not reached",
    metavar: "ADDRESS",
    read: EgressSource.fromString,
    expected: EgressSource.expected,
    default: [],
    defaultText: "none",
    separator: /[\s,]+/
  }),
  egressBy: Setting.single<string>({
    description:
      "What sessions have in common that leave from the same address: the user, or the address of a client without one; " +
      "client, for always the client's address; or a parameter of --user-parameters, for a session of a user",
    metavar: "WHAT",
    read: Option.liftPredicate((text) => /^[a-z]\w{0,31}$/i.test(text)),
    expected: "user, client, or the name of a parameter",
    default: "user",
    defaultText: "user"
  }),
  egressKey: Setting.single<Redacted.Redacted | undefined>({
    description:
      "Secret by which an address of --egress is chosen. Machines with the same secret choose alike",
    metavar: "KEY",
    read: (text) => (/^[\x21-\x7e]{16,256}$/.test(text) ? Option.some(Redacted.make(text)) : Option.none()),
    expected: "a secret of 16 to 256 ASCII characters without spaces",
    default: undefined,
    defaultText: "none",
    isSecret: true
  }),
  routes: Setting.structured({
    description:
      "Ways to targets that rules name: a name, and via (a URL of an upstream, or several as a chain) or members",
    form: RouteOptions.form,
    default: [] as ReadonlyArray<RouteOptions.RouteOptions>,
    defaultText: "none"
  })
}) {}
