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
export { Config, type Values as ConfigValues } from "./config/Config.ts"
export type { Limits } from "./config/Limits.ts"
export * as ListenAddress from "./config/ListenAddress.ts"
export type { Rule } from "./config/Rule.ts"
export * as TargetPattern from "./config/TargetPattern.ts"
export type { User } from "./config/User.ts"
export * as Errors from "./Errors.ts"
export type { Client as DatagramClient } from "./network/Association.ts"
export { Bandwidth } from "./network/Bandwidth.ts"
export { Binder, type Listening } from "./network/Binder.ts"
export type { Client } from "./network/Client.ts"
export { DatagramRelay, type Relayed } from "./network/DatagramRelay.ts"
export { Dialer, type Outgoing } from "./network/Dialer.ts"
export type { Lane, Pace } from "./network/Pacer.ts"
export type { Peer } from "./network/Peer.ts"
export { type Ending, type Ends, Relay, type Traffic } from "./network/Relay.ts"
export { type Addresses, Resolver } from "./network/Resolver.ts"
export type { Dialect, Known, Request } from "./phases/Dialect.ts"
export type { Access } from "./policy/Access.ts"
export * as AddressGuard from "./policy/AddressGuard.ts"
export { Authenticator, type Identity } from "./policy/Authenticator.ts"
export { type Ban, Bans, type FailedLogin, type Suspect } from "./policy/Bans.ts"
export type { Decision, Judge } from "./policy/Decision.ts"
export { LocalAddresses } from "./policy/LocalAddresses.ts"
export { PasswordHashes } from "./policy/PasswordHashes.ts"
export { Policy } from "./policy/Policy.ts"
export { Users } from "./policy/Users.ts"
export * as Reply from "./Reply.ts"
export * as Connection from "./server/Connection.ts"
export { Quotas } from "./server/Quotas.ts"
export { Server } from "./server/Server.ts"
export type { Session } from "./server/Session.ts"
export { Sessions } from "./server/Sessions.ts"
export * as Hashing from "./system/Hashing.ts"
export * as Interfaces from "./system/Interfaces.ts"
export * as Logins from "./system/Logins.ts"
export * as UsersFile from "./system/UsersFile.ts"
export * as Socks5 from "./wire/Socks5.ts"
export * as Target from "./wire/Target.ts"
