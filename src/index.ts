/**
 * A SOCKS server to build with: every service with its own layer, each
 * replaceable by yours.
 *
 * @example
 * ```ts
 * import { Config, Server } from "effect-socks"
 * import { Effect, Layer } from "effect"
 *
 * const app = Server.layerDefault.pipe(Layer.provide(Config.layer()))
 * Effect.runFork(Layer.launch(app))
 * ```
 */

export { Authenticator, type Identity } from "./auth/Authenticator.ts"
export * as AuthLayer from "./auth/AuthLayer.ts"
export * as Hashing from "./auth/Hashing.ts"
export { PasswordHashes } from "./auth/PasswordHashes.ts"
export { Users } from "./auth/Users.ts"
export * as UsersSource from "./auth/UsersSource.ts"
export { type Ban, Bans, type FailedLogin, type Suspect } from "./bans/Bans.ts"
export { Config, type Values as ConfigValues } from "./config/Config.ts"
export type { Limits } from "./config/Limits.ts"
export * as ListenAddress from "./config/ListenAddress.ts"
export type { Rule } from "./config/Rule.ts"
export * as TargetPattern from "./config/TargetPattern.ts"
export type { User } from "./config/User.ts"
export * as Errors from "./Errors.ts"
export { Bandwidth } from "./limits/Bandwidth.ts"
export { Quotas } from "./limits/Quotas.ts"
export type { Flow, Pace } from "./network/BandwidthScheduler.ts"
export { Binder, type Listening } from "./network/Binder.ts"
export type { CertificateSubject } from "./network/CertificateSubject.ts"
export type { Client } from "./network/Client.ts"
export { Dialer, type Outgoing } from "./network/Dialer.ts"
export type { Peer } from "./network/Peer.ts"
export { type Ending, type Ends, Relay, type Traffic } from "./network/Relay.ts"
export { type Addresses, Resolver } from "./network/Resolver.ts"
export type { Access } from "./policy/Access.ts"
export * as AddressGuard from "./policy/AddressGuard.ts"
export type { Decision, Judge } from "./policy/Decision.ts"
export { LocalAddresses } from "./policy/LocalAddresses.ts"
export { Policy } from "./policy/Policy.ts"
export type { Exchange, Protocol } from "./protocols/Protocol.ts"
export * as Reply from "./Reply.ts"
export type { Connected, DatagramPath, Incoming, JudgedTarget, Route } from "./routes/Route.ts"
export { CurrentRoute } from "./routes/Routes.ts"
export * as Connection from "./server/Connection.ts"
export * as Interfaces from "./server/Interfaces.ts"
export { Server } from "./server/Server.ts"
export { CurrentSession } from "./session/CurrentSession.ts"
export type { Session } from "./session/Session.ts"
export { Sessions } from "./session/Sessions.ts"
export type { Accepted, Admitted, Request, Running } from "./session/States.ts"
export type { Client as DatagramClient } from "./udp/Association.ts"
export { DatagramRelay, type Relayed } from "./udp/DatagramRelay.ts"
export * as Socks5 from "./wire/Socks5.ts"
export * as Target from "./wire/Target.ts"
