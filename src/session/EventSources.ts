/**
 * The events of the rooms below this room: decisions, logins, bans and upstreams. Each of these rooms writes to a reference of its
 * own, and these layers replace the references.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Login, LoginLog } from "../auth/LoginLog.ts"
import { type BanChange, BanLog } from "../bans/Bans.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import * as DecisionLog from "../policy/DecisionLog.ts"
import { UpstreamLog } from "../routes/UpstreamLog.ts"
import { CurrentSession } from "./CurrentSession.ts"
import { Events } from "./Events.ts"

/** Writes decisions to the log, and emits them. */
export const decisions: Layer.Layer<never, never, Events> = Layer.effect(
  DecisionLog.DecisionLog,
  Effect.map(Events, ({ to }) => {
    const { write } = DecisionLog.make()
    /** No event is made of a decision that has no listener: every session has a decision. */
    const emitted = (decided: DecisionLog.Decided) =>
      withId((id) => {
        const event = { id, ...DecisionLog.lineOf(decided) }
        const first = to.SessionDecided?.({ _tag: "SessionDecided", ...event })
        const second = isDenied(decided) ? to.TargetDenied?.({ _tag: "TargetDenied", ...event }) : undefined
        return first && second ? Effect.andThen(first, second) : (first ?? second)
      })
    return {
      write: (decided: DecisionLog.Decided) =>
        to.SessionDecided || (to.TargetDenied && isDenied(decided))
          ? Effect.andThen(write(decided), emitted(decided))
          : write(decided)
    }
  })
)

const isDenied = ({ decision: { verdict, isReport } }: DecisionLog.Decided): boolean =>
  verdict === "deny" || isReport === true

/** Emits logins by password and by certificate. */
export const logins: Layer.Layer<never, never, Events> = Layer.effect(
  LoginLog,
  Effect.map(Events, ({ to }) => {
    const write = ({ client, user, method, failure }: Login) =>
      withId((id) => {
        const login = { id, client: ListenAddress.format(client), user, method }
        return failure
          ? to.LoginFailed?.({ _tag: "LoginFailed", ...login, reason: failure.reason })
          : to.LoginSucceeded?.({ _tag: "LoginSucceeded", ...login })
      })
    return {
      get write() {
        return to.LoginSucceeded === undefined && to.LoginFailed === undefined ? undefined : write
      }
    }
  })
)

/** Emits what happens to upstreams, in the process of the sessions. */
export const upstreams: Layer.Layer<never, never, Events> = Layer.effect(
  UpstreamLog,
  Effect.map(Events, ({ to }) => ({
    failed: (failure) => to.UpstreamFailed?.({ _tag: "UpstreamFailed", ...failure }) ?? Effect.void,
    changed: (change) => to.UpstreamChanged?.({ _tag: "UpstreamChanged", ...change }) ?? Effect.void
  }))
)

/** Emits bans, in the process that decides about them. */
export const bans: Layer.Layer<never, never, Events> = Layer.effect(
  BanLog,
  Effect.gen(function* () {
    const { to } = yield* Events
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    return {
      write: (change: BanChange) => {
        const emitted =
          change._tag === "ban"
            ? to.NetworkBanned?.({ ...change, _tag: "NetworkBanned" })
            : to.BanLifted?.({ _tag: "BanLifted", network: change.network })
        if (emitted) fork(emitted)
      }
    }
  })
)

const withId = (tell: (id: number | undefined) => Effect.Effect<void> | undefined): Effect.Effect<void> =>
  Effect.flatMap(CurrentSession, (session) => tell(session?.id) ?? Effect.void)
