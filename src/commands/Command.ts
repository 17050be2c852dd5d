/**
 * The commands that clients can request.
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { SessionError } from "../Errors.ts"
import type { Bandwidth } from "../limits/Bandwidth.ts"
import type { LimitSettings } from "../limits/Settings.ts"
import type { Binder } from "../network/Binder.ts"
import type { CurrentListener } from "../network/CurrentListener.ts"
import type { Dialer } from "../network/Dialer.ts"
import type { Pseudonym } from "../network/Pseudonym.ts"
import type { Ending, Relay } from "../network/Relay.ts"
import type { Resolver } from "../network/Resolver.ts"
import type { NetworkSettings } from "../network/Settings.ts"
import type { Policy } from "../policy/Policy.ts"
import type { Connection, Request } from "../session/States.ts"
import type { DatagramRelay } from "../udp/DatagramRelay.ts"
import type { UdpSettings } from "../udp/Settings.ts"
import * as Associate from "./Associate.ts"
import * as Bind from "./Bind.ts"
import type { CommandContext } from "./CommandContext.ts"
import * as Connect from "./Connect.ts"
import * as ConnectUdp from "./ConnectUdp.ts"
import * as Forward from "./Forward.ts"
import type { OriginPool } from "./OriginPool.ts"
import type { CommandSettings } from "./Settings.ts"

/** The services that the commands use. */
export type Services =
  | Bandwidth
  | CommandSettings
  | CurrentListener
  | LimitSettings
  | NetworkSettings
  | OriginPool
  | UdpSettings
  | Policy
  | Pseudonym
  | Resolver
  | Dialer
  | Binder
  | Relay
  | DatagramRelay

/** Carries out a request until its session ends. Returns how the session ended. */
export const run = (
  context: Omit<CommandContext, "request">
): Effect.Effect<Ending, SessionError, Services | Scope.Scope> => {
  const { request } = context.admitted
  return request.command === "FORWARD"
    ? Forward.run(asking(context, request))
    : request.isConnectUdp
      ? ConnectUdp.run(asking(context, request))
      : commands[request.command](asking(context, request))
}

/** Not by a spread: V8 makes a hidden class for each object that begins with one. */
const asking = <Asked extends Request>(
  { client, admitted, log, connected, chargeRule, succeeded }: Omit<CommandContext, "request">,
  request: Asked
): CommandContext<Asked> => ({ client, admitted, request, log, connected, chargeRule, succeeded })

const commands: Record<
  Connection["command"],
  (context: CommandContext<Connection>) => ReturnType<typeof run>
> = {
  CONNECT: Connect.run,
  BIND: Bind.run,
  ASSOCIATE: Associate.run
}
