/**
 * A server whose targets say nothing by themselves, and whose sessions last a minute.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Config from "../../src/server/Config.ts"
import { dialer, layer, type Peer, type Replacements } from "../../src/testing/index.ts"
import { DatagramRelay } from "../../src/udp/DatagramRelay.ts"
import { captured } from "./logs.ts"
import { greeting, request } from "./messages.ts"

const off = Duration.infinity
export const config: Partial<Config.Values> = {
  maxLifetime: Duration.minutes(1),
  idleTimeout: off,
  halfCloseTimeout: off,
  bind: true
}

export const scripted = (replacements: Replacements = {}) => {
  const targets: Array<Peer> = []
  const associated = Deferred.makeUnsafe<void>()
  const datagramRelay = Layer.succeed(DatagramRelay, {
    associate: (_, local) =>
      Effect.acquireRelease(
        Effect.succeed({ bound: NetAddress.inetAddressUnsafe(local, 40_000), idle: Effect.never }),
        () => Deferred.succeed(associated, undefined)
      )
  })
  const { lines, layer: logs } = captured()
  return {
    target: () => targets.at(-1)!,
    released: Deferred.await(associated),
    outcomes: () => lines.filter((line) => line.message === "session").map(({ fields }) => fields.outcome),
    services: Layer.merge(
      layer({ config, dialer: dialer((target) => targets.push(target)), datagramRelay, ...replacements }),
      logs
    )
  }
}

/** What asks for a connection to one of them, and gets twelve bytes of answers. */
export const tunnel = [...greeting(0x00), ...request("192.0.2.1", 80)]
