/**
 * One log line for each decision about a request: the client, the target, the rule, the
 * reason and the time that it took.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as ClientNetwork from "../base/ClientNetwork.ts"
import { defined } from "../base/Fields.ts"
import * as LineBudget from "../base/LineBudget.ts"
import * as Target from "../wire/Target.ts"
import type { Access } from "./Access.ts"
import type { Decision } from "./Decision.ts"
import { PolicySettings } from "./Settings.ts"

/** An access and the decision about it. */
export interface Decided {
  readonly access: Access
  readonly decision: Decision
  /**
   * The allowed addresses of the target's name, or all of them if none is allowed; empty where the name was not
   * resolved.
   */
  readonly addresses: ReadonlyArray<NetAddress.IpAddress>
  /** Milliseconds that the decision took, with the name servers' share. */
  readonly duration: number
}

interface Service {
  readonly write: (decided: Decided) => Effect.Effect<void>
}

/** Where decisions are written. Each server makes its own with `make`; without a server they are written nowhere. */
export const DecisionLog = Context.Reference<Service>("effect-socks/policy/DecisionLog", {
  defaultValue: () => ({ write: () => Effect.void })
})

/** Lines about datagrams in a period: each has a target, so that there can be as many of them as datagrams. */
const mostOfDatagrams: LineBudget.Most = { each: 100, all: 1000 }

/**
 * Writes the decisions that the setting `logDecisions` selects. Unless the setting is `all`, decisions about datagrams
 * beyond a budget of lines are counted and not written.
 */
export const make = (): Service => {
  const budget = LineBudget.make(mostOfDatagrams)
  const writeSome = (decided: Decided) =>
    Effect.clockWith((clock) => {
      const { identity, client } = decided.access
      const source = identity.user ?? (client && ClientNetwork.nameOf(client)) ?? ""
      const { isShown, leftOut } = budget.note(source, clock.currentTimeMillisUnsafe())
      const note =
        leftOut > 0
          ? Effect.logWarning("more was decided about datagrams than was logged", { leftOut })
          : Effect.void
      return isShown ? Effect.andThen(note, write(decided)) : note
    })
  return {
    write: (decided) =>
      Effect.contextWith((context: Context.Context<never>) => {
        const { logDecisions, rules } = Context.getOrElse(
          context,
          PolicySettings,
          () => PolicySettings.defaults
        )
        const which = logDecisions === "auto" ? (rules.length > 0 ? "all" : "denied") : logDecisions
        const { verdict, isReport } = decided.decision
        // The line of a forwarded request's session comes with the decision, and says the same.
        const isSaid = logDecisions === "auto" && decided.access.command === "FORWARD" && !isReport
        const isWanted = !isSaid && (isReport || verdict === "deny" ? which !== "none" : which === "all")
        if (!isWanted) return Effect.void
        const isBounded = decided.access.command === "ASSOCIATE" && logDecisions !== "all"
        return isBounded ? writeSome(decided) : write(decided)
      })
  }
}

const write = (decided: Decided) => Effect.logInfo("decision", defined(lineOf(decided)))

/** The fields of a decision's log line. */
export const lineOf = ({ access, decision, addresses, duration }: Decided) => ({
  verdict: decision.isReport ? ("would deny" as const) : decision.verdict,
  rule: decision.rule,
  reason: decision.reason,
  user: access.identity.user,
  client: access.client && NetAddress.formatIp(access.client),
  listener: access.listener,
  protocol: access.protocol,
  command: access.command,
  target: access.target && Target.format(access.target),
  addresses: addresses.map(NetAddress.formatIp),
  duration: Math.round(duration * 1000) / 1000
})
