/**
 * The check of a server from outside: a handshake with each listener of the settings, as a client begins it.
 */
import { connect, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { ProtocolName } from "../config/Parsers.ts"
import * as CurrentListener from "../network/CurrentListener.ts"
import type { ListenSettings } from "../network/ListenSettings.ts"

/** A listener does not answer. */
export class Unhealthy extends Data.TaggedError("Unhealthy")<{
  readonly address: string
  readonly reason: string
}> {
  override get message() {
    return `${this.address} does not answer: ${this.reason}`
  }
}

/** Succeeds if every listener answers. */
export const run = (values: ListenSettings["Service"]): Effect.Effect<void, Unhealthy> =>
  Effect.forEach(
    values.listen,
    (at) => {
      const endpoint = ListenAddress.endpointOf(at)
      const { protocols } = CurrentListener.at(at, values)
      return check(ListenAddress.format(at), {
        place: ListenAddress.placeOf(endpoint),
        isTls: endpoint._tag === "Tls",
        hasProxyHeader: values.proxyProtocolFrom.length > 0,
        protocols
      })
    },
    { concurrency: 8, discard: true }
  )

interface Target {
  readonly place: ListenAddress.Place
  readonly isTls: boolean
  readonly hasProxyHeader: boolean
  readonly protocols: ReadonlyArray<ProtocolName>
}

const check = (address: string, target: Target): Effect.Effect<void, Unhealthy> => {
  const unhealthy = (reason: string) => new Unhealthy({ address, reason })
  const where = optionsOf(target.place)
  if (where === undefined) return Effect.fail(unhealthy("its address is not in the settings"))
  return Effect.callback<void, Unhealthy>((resume) => {
    const fail = (reason: string) => resume(Effect.fail(unhealthy(reason)))
    const plain = connect(where)
    plain.once("error", ({ message }) => fail(message))
    plain.once("close", () => fail("the connection was closed"))
    plain.once("connect", () => {
      // The listener takes a header from this machine only if it is one of the proxies.
      if (target.hasProxyHeader) plain.write("PROXY UNKNOWN\r\n")
      const socket = target.isTls ? secured(plain, fail) : plain
      const { greeting, isAnswer } = handshakeOf(target.protocols)
      socket.write(greeting)
      let answer = Buffer.alloc(0)
      socket.on("data", (chunk: Buffer) => {
        answer = Buffer.concat([answer, chunk])
        const verdict = isAnswer(answer)
        if (verdict === undefined) return
        if (verdict) resume(Effect.void)
        else fail("what it answers is no reply to a handshake")
      })
    })
    return Effect.sync(() => plain.destroy())
  }).pipe(
    Effect.timeoutOrElse({
      duration: "5 seconds",
      orElse: () => Effect.fail(unhealthy("no answer within 5 seconds"))
    })
  )
}

/** Whose certificate it is does not matter: no secret is sent. */
const secured = (plain: Socket, fail: (reason: string) => void) => {
  const socket = connectTls({ socket: plain, rejectUnauthorized: false })
  socket.once("error", ({ message }) => fail(message))
  return socket
}

const optionsOf = (place: ListenAddress.Place) => {
  if (place._tag === "UnixPathAddress") return { path: place.path }
  if (place._tag === "Systemd" || place.port === 0) return undefined
  const { host, port } = place
  if (!NetAddress.isIpAddress(host) || !NetAddress.isUnspecified(host))
    return { host: Host.formatHost(host), port }
  return { host: NetAddress.isIpv6Address(host) ? "::1" : "127.0.0.1", port }
}

interface Handshake {
  readonly greeting: Uint8Array
  /** Whether the bytes are an answer of the protocol; undefined while there are too few. */
  readonly isAnswer: (bytes: Buffer) => boolean | undefined
}

const handshakeOf = (protocols: ReadonlyArray<ProtocolName>): Handshake => {
  if (protocols.includes("socks5")) {
    return {
      // No authentication, or a password (RFC 1928 §3). Any choice of the server is an answer, 0xff too.
      greeting: Uint8Array.of(5, 2, 0, 2),
      isAnswer: (bytes) => (bytes.length < 2 ? undefined : bytes[0] === 5)
    }
  }
  if (protocols.includes("http")) {
    return {
      // The server is no origin, and says so, or asks for a password first.
      greeting: Buffer.from("OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
      isAnswer: (bytes) => (bytes.length < 9 ? undefined : /^HTTP\/1\.[01] /.test(bytes.toString("latin1")))
    }
  }
  return {
    // A CONNECT to port 0 of 0.0.0.0, which nobody is connected to.
    greeting: Uint8Array.of(4, 1, 0, 0, 0, 0, 0, 0, 0),
    isAnswer: (bytes) => (bytes.length < 2 ? undefined : bytes[0] === 0 && bytes[1]! >= 0x5a)
  }
}
