/**
 * The settings of targets and rules.
 */
import * as Option from "effect/Option"
import type { Rules } from "../config/RuleTable.ts"
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"
import * as TargetFiles from "../config/TargetFiles.ts"
import * as TargetPattern from "../config/TargetPattern.ts"
import * as AllowTarget from "./AllowTarget.ts"

const targetForms = "10.0.0.0/8, db.example or *.example, each with or without :443 or :8000-8999 behind it"

export class PolicySettings extends Section.make<PolicySettings>()("effect-socks/policy/Settings", {
  privateTargets: Setting.word({
    description:
      "Whether clients may go to private, loopback and other special addresses, and to the addresses of " +
      "this machine. auto allows it only if nobody but this machine can connect: every listener is on " +
      "loopback, or is a unix: socket of mode 0600",
    metavar: "WHEN",
    words: ["auto", "allow", "deny"],
    default: "auto"
  }),
  allowTarget: Setting.many<AllowTarget.AllowTarget>({
    description:
      "Target that is allowed although its address is special. It is a network, an address, a name, *.SUFFIX " +
      "or *, with :PORT or :FIRST-LAST behind it if wanted (IPv6 in brackets then). A name or * opens " +
      "no loopback or link-local address and no address of this machine, unless it is localhost or has " +
      "local: in front. A network opens no address of this machine but loopback and link-local ones",
    metavar: "TARGET",
    read: AllowTarget.fromString,
    expected: `a target such as ${targetForms}, local: only before a name or *`,
    default: [],
    defaultText: "none",
    separator: /[\s,]+/
  }),
  denyTarget: Setting.many<TargetPattern.TargetPattern | "none">({
    description:
      "Target that is denied, whatever else allows it. *:25 (mail) is denied beside the targets given " +
      "here, unless none is among them",
    metavar: "TARGET",
    read: (text) => (text === "none" ? Option.some(text) : TargetPattern.fromString(text)),
    expected: `a target such as ${targetForms}, nor none`,
    // Mail servers, which spam would use. The policy denies this port in addition to the targets of the setting.
    default: [{ host: { _tag: "Any" }, ports: [25, 25] }],
    defaultText: "*:25",
    separator: /[\s,]+/
  }),
  rules: Setting.structured({
    description:
      "Rules of who may go where: the first rule whose conditions all hold decides. With rules, what " +
      "none of them allows is denied",
    form: TargetFiles.rulesForm,
    default: [] as Rules,
    defaultText: "none, and everything is allowed"
  }),
  pac: Setting.word({
    description:
      "Proxy auto-config file for browsers, which everyone who can reach a listener gets at /proxy.pac. With all " +
      "it sends everything to the proxy, and with rules only the targets that rules may allow, of rules that " +
      "name no users, groups or listeners",
    metavar: "WHICH",
    words: ["off", "all", "rules"],
    default: "off"
  }),
  reportOnly: Setting.toggle("Deny nothing, and log what the policy would have denied", false),
  logDecisions: Setting.word({
    description:
      "Decisions that are logged, with the rule and the reason. auto is all where there are rules, else " +
      "denied, but those of forwarded HTTP requests, whose sessions have a line with the rule",
    metavar: "WHICH",
    words: ["auto", "all", "denied", "none"],
    default: "auto"
  })
}) {}
