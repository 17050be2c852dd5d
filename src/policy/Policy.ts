/**
 * Who may go where.
 *
 * A request is judged twice: before the name in it is resolved, so that what is
 * forbidden is not even looked up, and then with each of the addresses found.
 * Exactly the addresses that were allowed are dialled.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import { Config } from "../config/Config.ts"
import type { Access } from "./Access.ts"
import type { Decision, Judge } from "./Decision.ts"

export class Policy extends Context.Service<
  Policy,
  {
    /** `address` is one of the target's, never an IPv4 address in IPv6 form; left out while it is not known. */
    readonly judge: (access: Access, address?: NetAddress.IpAddress) => Effect.Effect<Decision>
  }
>()("effect-socks/policy/Policy") {
  /** Whatever one of these denies is denied; else the last of them decides. */
  static readonly make = (...judges: readonly [Judge, ...Array<Judge>]): Policy["Service"] => ({
    judge: (access, address) =>
      Effect.sync(() => {
        let decision = judges[0](access, address)
        for (let i = 1; i < judges.length && decision.verdict !== "deny"; i++) {
          decision = judges[i]!(access, address)
        }
        return decision
      })
  })

  /** Lets everyone go everywhere: for tests, and for networks that something else guards. */
  static readonly anything: Layer.Layer<Policy> = Layer.succeed(
    Policy,
    Policy.make(() => ({ verdict: "allow", rule: "anything" }))
  )

  /** The policy of the configuration. */
  static readonly layer: Layer.Layer<Policy, never, Config> = Layer.effect(
    Policy,
    Effect.map(Config, ({ reportOnly }) => {
      const policy = Policy.make(judge)
      return reportOnly ? reporting(policy) : policy
    })
  )
}

/** The same policy, which denies nothing and says what it would have denied. */
export const reporting = ({ judge }: Policy["Service"]): Policy["Service"] => ({
  judge: (access, address) =>
    Effect.map(judge(access, address), (decision) =>
      decision.verdict === "deny" ? { ...decision, verdict: "allow", isReport: true } : decision
    )
})

const judge: Judge = (_access, address) => {
  if (address === undefined) return { verdict: "undecided", rule: "none" }
  return isMany(address)
    ? { verdict: "deny", rule: "address guard", reason: "multicast and broadcast are not passed on" }
    : { verdict: "allow", rule: "none" }
}

const isMany = (address: NetAddress.IpAddress): boolean =>
  NetAddress.isMulticast(address) || (NetAddress.isIpv4Address(address) && NetAddress.isBroadcast(address))
