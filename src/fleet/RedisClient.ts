/**
 * The client of a Redis or Valkey, and what its errors say.
 *
 * Each connection has a client of its own, without the client's own queue and its own reconnecting: a call must fail
 * while there is no connection, not run some time later.
 */
import { createClient, ErrorReply, type RedisClientOptions } from "@redis/client"
import type * as Effect from "effect/Effect"
import type * as TlsClient from "../network/TlsClient.ts"
import { checksOf } from "../network/TlsClient.ts"
import type { FleetUrl } from "./FleetUrl.ts"

export type RedisClient = ReturnType<typeof make>

/** Milliseconds in which the store has to accept a connection. */
export const connectPatience = 3000

/** The most calls that wait for their replies. */
export const most = 10_000

export const make = (
  { place, username, password, database }: FleetUrl,
  secureContext: Effect.Success<ReturnType<typeof TlsClient.context>> | undefined
) => {
  const common = { connectTimeout: connectPatience, reconnectStrategy: false as const }
  const options: RedisClientOptions = {
    socket:
      "path" in place
        ? { ...common, path: place.path, tls: false }
        : secureContext === undefined
          ? { ...common, ...place }
          : { ...common, ...place, tls: true, secureContext, ...checksOf(place.host) },
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    database,
    name: "effect-socks",
    RESP: 3,
    disableOfflineQueue: true,
    commandsQueueMaxLength: most,
    maintNotifications: "disabled"
  }
  return createClient(options)
}

/** What is told of an error: the client's messages have no password in them. */
export const reasonOf = (
  error: Error & { readonly code?: string; readonly errors?: ReadonlyArray<Error> }
): string => {
  const { code = "", message, errors } = error
  if (untrusted.has(code))
    return `no authority that is trusted has signed its certificate (${code}): ?ca=FILE names one`
  if (code.startsWith("ERR_SSL_")) return `TLS: ${code}`
  return message || errors?.[0]?.message || "no answer"
}

/** Whether a server has said no, and will say so again: its reply is an error, or its certificate is not trusted. */
export const isRefusal = (error: Error & { readonly code?: string }): boolean =>
  error instanceof ErrorReply
    ? !/^(LOADING|BUSY|MASTERDOWN)/.test(error.message)
    : untrusted.has(error.code ?? "") || /^ERR_(SSL|TLS)_/.test(error.code ?? "")

const untrusted: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
])
