/**
 * What sessions have in common that get the same member of a route, or leave from the same address: the user, the client's
 * address, or a parameter in the user name. With a time to live in the user name it is another one after that time, on
 * every machine, and no table is kept.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as UserParameters from "../auth/UserParameters.ts"
import { hashOf } from "../base/TextHash.ts"
import type { Access } from "../policy/Access.ts"

/** What a key is made of. */
export interface KeyOptions {
  /** `user`, `client`, or the name of a parameter. */
  readonly by: string
  /** The parameter with a time to live; undefined if there is none. */
  readonly ttl: string | undefined
}

type Who = Pick<Access, "identity" | "client">

/**
 * The key of a session at a time in milliseconds since the epoch; undefined if it has nothing in common with others. The
 * key of a parameter has the user, so that no user gets the sessions of another one.
 */
export const of = (who: Who, { by, ttl }: KeyOptions, now: number): string | undefined => {
  const key = commonOf(who, by)
  const life = ttl === undefined ? undefined : UserParameters.ttlOf(valueOf(who, ttl) ?? "")
  // Not all sessions of one time to live change at the same moment.
  return key === undefined || life === undefined
    ? key
    : `${Math.floor((now + (hashOf(key) % life)) / life)} of ${life} ${key}`
}

const commonOf = (who: Who, by: string): string | undefined => {
  const { identity, client } = who
  if (by === "user") return identity.user === undefined ? undefined : `user ${identity.user}`
  if (by === "client") return client && `client ${NetAddress.formatIp(client)}`
  const value = valueOf(who, by)
  // Values have no spaces, and the user's name is behind everything else: so no two keys are alike by chance.
  return value === undefined ? undefined : `${by} ${value} of ${identity.user ?? ""}`
}

/** The value of a parameter. */
export const valueOf = ({ identity: { parameters } }: Who, name: string): string | undefined =>
  parameters !== undefined && Object.hasOwn(parameters, name) ? parameters[name] : undefined

/** What sessions can have in common. */
export const commonIn = (declared: ReadonlyArray<UserParameters.UserParameter>): ReadonlyArray<string> => [
  "user",
  "client",
  ...declared.map(({ name }) => name)
]

/** The name of the parameter with a time to live. */
export const ttlIn = (declared: ReadonlyArray<UserParameters.UserParameter>): string | undefined =>
  declared.find(({ values }) => values === "ttl")?.name
