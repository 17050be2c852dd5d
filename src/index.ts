/**
 * A SOCKS and HTTP proxy server in an Effect program: `Server.layer` runs it, and a layer of one of its services, if
 * provided, takes the place of that service.
 *
 * **Example** (A server on loopback)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Server } from "effect-socks"
 *
 * Effect.runFork(Layer.launch(Server.layer({ listen: "127.0.0.1:1080" })))
 * ```
 */

export { Authenticator, type Identity } from "./auth/Authenticator.ts"
export * as Hashing from "./auth/Hashing.ts"
export { PasswordHashes } from "./auth/PasswordHashes.ts"
export type { StoredUsers, UserChange, UserStoreError } from "./auth/StoredUsers.ts"
export type { User } from "./auth/User.ts"
export { UserStore } from "./auth/UserStore.ts"
export { Users } from "./auth/Users.ts"
export { type Ban, Bans, type FailedLogin, type Suspect } from "./bans/Bans.ts"
export type { Limits } from "./config/Limits.ts"
export * as ListenAddress from "./config/ListenAddress.ts"
export * as Errors from "./Errors.ts"
export { type Account, Accounts } from "./library/Accounts.ts"
export { Admin, type AdminOptions } from "./library/Admin.ts"
export * as Connection from "./library/Connection.ts"
export { Reload } from "./library/Reload.ts"
export { Server, type StartError } from "./library/Server.ts"
export type {
  BandwidthOption,
  DurationOption,
  LimitOptions,
  ListenOption,
  MemberOptions,
  NetworkOption,
  RouteOptions,
  RuleOptions,
  ServerOptions,
  SizeOption,
  UserOptions
} from "./library/ServerOptions.ts"
export { Sessions } from "./library/Sessions.ts"
export { Settings } from "./library/Settings.ts"
export * as Coordinator from "./limits/Coordinator.ts"
export { CoordinatorMember } from "./limits/CoordinatorMember.ts"
export { CoordinatorSeat, type Member as SeatMember } from "./limits/CoordinatorSeat.ts"
export type { Flow, Pace } from "./network/BandwidthScheduler.ts"
export { Binder, type Listening } from "./network/Binder.ts"
export type { CertificateSubject } from "./network/CertificateSubject.ts"
export type { Client } from "./network/Client.ts"
export { CurrentListener } from "./network/CurrentListener.ts"
export { Dialer, type Outgoing } from "./network/Dialer.ts"
export * as NodeTransport from "./network/NodeTransport.ts"
export type { Peer } from "./network/Peer.ts"
export { type Ending, type Ends, Relay, type Traffic } from "./network/Relay.ts"
export { type Addresses, Resolver } from "./network/Resolver.ts"
export { Sockets } from "./network/Sockets.ts"
export type * as Transport from "./network/Transport.ts"
export type { Access } from "./policy/Access.ts"
export type { Decision, Judge } from "./policy/Decision.ts"
export { LocalAddresses } from "./policy/LocalAddresses.ts"
export { Policy } from "./policy/Policy.ts"
export type { Exchange, Protocol } from "./protocols/Protocol.ts"
export * as Reply from "./Reply.ts"
export type { Connected, DatagramDestination, Incoming, JudgedTarget, Route } from "./routes/Route.ts"
export { CurrentRoute } from "./routes/Routes.ts"
export { CurrentSession } from "./session/CurrentSession.ts"
export type * as Event from "./session/Event.ts"
export { Events, type Listener } from "./session/Events.ts"
export type { Session } from "./session/Session.ts"
export type { SessionSnapshot } from "./session/SessionSnapshot.ts"
export { SessionSampling } from "./session/SessionSpan.ts"
export type { Accepted, Admitted, Request, Running } from "./session/States.ts"
export type { Client as DatagramClient } from "./udp/Association.ts"
export { DatagramRelay, type Relayed } from "./udp/DatagramRelay.ts"
export { UsageRecords } from "./usage/UsageRecords.ts"
export type { Query as UsageQuery, UsageRecord } from "./usage/UsageStore.ts"
export * as Socks5 from "./wire/Socks5.ts"
export * as Target from "./wire/Target.ts"
