/**
 * Clients that ask for hostile targets, by each protocol and command.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { clientAddress, connect } from "../../src/testing/index.ts"
import * as DatagramBudget from "../../src/udp/DatagramBudget.ts"
import * as Destinations from "../../src/udp/Destinations.ts"
import * as RuleUses from "../../src/udp/RuleUses.ts"
import * as Datagram from "../../src/wire/Datagram.ts"
import { printable } from "../../src/wire/Text.ts"
import { utf8 } from "./bytes.ts"
import type * as Hostile from "./hostile.ts"
import { message } from "./http.ts"
import { datagram, greeting, request } from "./messages.ts"
import { begin } from "./sessions.ts"
import { settled } from "./streams.ts"

/** The first bytes of what a client gets for these. */
export const answer = Effect.fnUntraced(function* (bytes: Iterable<number>, count: number) {
  const client = yield* connect
  yield* client.send([...bytes])
  return yield* client.receive(count)
}, Effect.scoped)

const text = (host: Hostile.Host) =>
  typeof host === "string" ? Buffer.from(utf8(host)).toString("latin1") : undefined

export const socks5 = (host: Hostile.Host, port: number) =>
  // Names as names, even those that are addresses.
  typeof host === "string"
    ? [...greeting(0x00), 0x05, 0x01, 0x00, 0x03, utf8(host).length, ...utf8(host), port >> 8, port & 0xff]
    : [...greeting(0x00), ...request(host, port)]

const socks4 = (host: Hostile.Host, port: number) => [
  ...[0x04, 0x01, port >> 8, port & 0xff],
  ...(typeof host === "string" ? [0, 0, 0, 1, 0, ...utf8(host), 0] : [...host, 0])
]

const authority = (host: string, port: number) =>
  /^[\da-f:.]*:[\da-f:.]*$/i.test(host) ? `[${host}]:${port}` : `${host}:${port}`

/** The ways to ask for a target, and what is answered; nothing where a target cannot be asked for so. */
export const protocols = {
  SOCKS5: (host: Hostile.Host, port: number) =>
    Effect.map(answer(socks5(host, port), 2 + 2), ([, , , code]) => `0${code}`),
  SOCKS4: (host: Hostile.Host, port: number) =>
    host.length === 16 && typeof host !== "string"
      ? undefined
      : Effect.map(answer(socks4(host, port), 2), ([, code]) => code?.toString(16) ?? "closed"),
  CONNECT: (host: Hostile.Host, port: number) => {
    const name = text(host)
    return name === undefined
      ? undefined
      : status([`CONNECT ${authority(name, port)} HTTP/1.1`, `Host: ${name}:${port}`])
  },
  GET: (host: Hostile.Host, port: number) => {
    const name = text(host)
    return name === undefined
      ? undefined
      : status([`GET http://${authority(name, port)}/ HTTP/1.1`, "Host: public.example"])
  },
  UDP: Effect.fnUntraced(function* (host: Hostile.Host, port: number) {
    const named = typeof host === "string" ? [0x03, utf8(host).length, ...utf8(host)] : undefined
    const bytes = Buffer.from(
      named ? [0, 0, 0, ...named, port >> 8, port & 0xff, 1] : datagram(host, port, [1])
    )
    const outcome: Array<string> = []
    const { chargeRule } = yield* SessionRegistry
    const { session, close } = yield* begin({ host: "203.0.113.9", command: "ASSOCIATE" })
    yield* Effect.addFinalizer(() => close)
    const enter: RuleUses.ChargeRule = (decision, traffic) =>
      Effect.andThen(chargeRule(session, decision, traffic), Effect.undefined)
    const { send } = yield* Destinations.make(
      {
        identity: { user: undefined },
        client: clientAddress.address,
        listener: "0.0.0.0:1080",
        protocol: "SOCKS5",
        command: "ASSOCIATE",
        target: undefined
      },
      yield* RuleUses.make(enter, Duration.seconds(60)),
      yield* DatagramBudget.make().enter("client"),
      (_bytes, _size, { to }) => outcome.push(`to ${NetAddress.formatIp(to.at.address)}`),
      () => outcome.push("drop")
    )
    const size = Datagram.headerSize(bytes)
    if (size === 0) return "drop"
    send(bytes, size)
    // Each datagram ends in one or the other.
    while (outcome.length === 0) yield* settled
    return outcome.join()
  }, Effect.scoped)
}

const status = (lines: ReadonlyArray<string>) =>
  Effect.map(answer(message(lines), 12), (head) => Buffer.from(head).toString("latin1", 9, 12) || "closed")

/** A target as tests show it. */
export const label = (host: Hostile.Host) =>
  typeof host === "string" ? printable(host, 40) || "(empty)" : Buffer.from(host).toString("hex")

/** What says no: not allowed, no target at all, or nobody by that name. */
export const refusals: Record<string, ReadonlyArray<string>> = {
  SOCKS5: ["02", "01", "04"],
  SOCKS4: ["5b"],
  CONNECT: ["403", "400", "502"],
  GET: ["403", "400", "502"],
  UDP: ["drop"]
}
