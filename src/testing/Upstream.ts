/**
 * An upstream in memory, for the tests of routes: a proxy that plays its targets itself, and fails as it is told.
 */
import * as Effect from "effect/Effect"
import type { Serve } from "./Network.ts"
import type { Peer } from "./Peer.ts"

/** What goes wrong at an upstream. */
export type Fault =
  /** It closes its connection after this number of bytes of its answers. */
  | { readonly _tag: "CutOff"; readonly after: number; readonly by: "end" | "reset" }
  /** It says nothing more after this number of bytes of its answers. */
  | { readonly _tag: "Hang"; readonly after: number }
  /** It refuses the login. */
  | { readonly _tag: "RefuseLogin" }
  /** It answers the request with this reply code of SOCKS, or status of HTTP, and these fields. */
  | { readonly _tag: "Answer"; readonly code: number; readonly fields?: string }
  /** It sends these bytes in place of its first answer, and goes on. */
  | { readonly _tag: "Lie"; readonly bytes: Uint8Array | string }

/** What an upstream in memory speaks, wants and does. */
export interface UpstreamOptions {
  readonly protocol: "socks5" | "socks4" | "http"
  /** The login that it wants: `user:password`, or `user` for SOCKS4. */
  readonly login?: string
  readonly fault?: Fault
  /** Whether it sends its answers byte by byte. */
  readonly isSlow?: boolean
  /** Plays the target behind it. By default the target sends back what it gets. */
  readonly target?: Serve
  /** Called with the target of each request, such as `192.0.2.1:80`, or the URL of a request in absolute form. */
  readonly onRequest?: (target: string) => void
}

/**
 * An upstream for `Network.target`.
 *
 * **When to use**
 *
 * Use it to test what a server and its clients do when an upstream fails.
 *
 * **Example** (A server behind an upstream that closes in the middle of its answer)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { layerServer, Network, upstream } from "effect-socks/testing"
 *
 * const test = Effect.gen(function* () {
 *   const { connect, target } = yield* Network
 *   yield* target("192.0.2.9:1080", upstream({ protocol: "socks5", fault: { _tag: "CutOff", after: 3, by: "end" } }))
 *   const client = yield* connect()
 *   yield* client.send([5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 1, 0, 80])
 *   return yield* client.rest
 * }).pipe(Effect.provide(layerServer({ upstream: "socks5://192.0.2.9:1080" })))
 * ```
 */
export const upstream =
  (options: UpstreamOptions): Serve =>
  (peer) =>
    Effect.gen(function* () {
      const voice = voiceOf(peer, options)
      const target = yield* protocols[options.protocol](peer, voice, options)
      if (target === undefined) return
      options.onRequest?.(target)
      const { fault } = options
      yield* voice.say(answers[options.protocol](fault?._tag === "Answer" ? fault : undefined))
      if (fault?._tag === "Answer") return
      const { target: serve = echo } = options
      yield* serve(peer)
    })

const echo: Serve = ({ receive, send }) =>
  Effect.gen(function* () {
    for (;;) {
      const byte = yield* receive(1)
      if (byte.length === 0) return
      yield* send(byte)
    }
  })

/** Sends the answers, with the faults. */
const voiceOf = (peer: Peer, { fault, isSlow = false }: UpstreamOptions) => {
  let left = fault?._tag === "CutOff" || fault?._tag === "Hang" ? fault.after : Infinity
  let lie = fault?._tag === "Lie" ? fault.bytes : undefined
  const pieces = (bytes: Uint8Array) => (isSlow ? Array.from(bytes, (byte) => Uint8Array.of(byte)) : [bytes])
  return {
    say: Effect.fnUntraced(function* (answer: Uint8Array) {
      const meant = lie === undefined ? answer : Buffer.from(lie)
      lie = undefined
      for (const piece of pieces(meant.subarray(0, left))) {
        yield* peer.send(piece)
        if (isSlow) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
      left -= meant.length
      if (left > 0 || !fault) return
      if (fault._tag === "Hang") return yield* Effect.never
      if (fault._tag === "CutOff") {
        yield* fault.by === "end" ? peer.end : peer.reset
        return yield* Effect.never
      }
    })
  }
}

type Voice = ReturnType<typeof voiceOf>

/** The target that the client asks for; undefined if its login is refused. */
type Ask = (peer: Peer, voice: Voice, options: UpstreamOptions) => Effect.Effect<string | undefined>

const protocols: Readonly<Record<UpstreamOptions["protocol"], Ask>> = {
  socks5: Effect.fnUntraced(function* (peer, { say }, { login, fault }) {
    const [, count = 0] = yield* peer.receive(2)
    const method = login === undefined ? 0 : 2
    const isOffered = (yield* peer.receive(count)).includes(method)
    yield* say(Uint8Array.of(5, isOffered ? method : 0xff))
    if (!isOffered) return undefined
    if (login !== undefined) {
      const [, nameLength = 0] = yield* peer.receive(2)
      const name = yield* peer.receive(nameLength)
      const [passwordLength = 0] = yield* peer.receive(1)
      const given = `${text(name)}:${text(yield* peer.receive(passwordLength))}`
      const isRight = given === login && fault?._tag !== "RefuseLogin"
      yield* say(Uint8Array.of(1, isRight ? 0 : 1))
      if (!isRight) return undefined
    }
    const [, , , type] = yield* peer.receive(4)
    const size = type === 1 ? 4 : type === 4 ? 16 : (yield* peer.receive(1))[0]!
    const host = yield* peer.receive(size)
    return `${hostText(type!, host)}:${portOf(yield* peer.receive(2))}`
  }),
  socks4: Effect.fnUntraced(function* (peer, { say }, { login = "", fault }) {
    const head = yield* peer.receive(8)
    const user = text(yield* untilNul(peer))
    const address = head.subarray(4)
    const isNamed = address[0] === 0 && address[1] === 0 && address[2] === 0
    const host = isNamed ? text(yield* untilNul(peer)) : address.join(".")
    if (user === login && fault?._tag !== "RefuseLogin") return `${host}:${portOf(head.subarray(2))}`
    yield* say(Uint8Array.of(0, 0x5d, 0, 0, 0, 0, 0, 0))
    return undefined
  }),
  http: Effect.fnUntraced(function* (peer, { say }, { login, fault }) {
    let head = ""
    while (!head.endsWith("\r\n\r\n")) {
      const byte = yield* peer.receive(1)
      if (byte.length === 0) return undefined
      head += text(byte)
    }
    const given = /^proxy-authorization: basic (.*)\r$/im.exec(head)?.[1] ?? ""
    const isRight = login === undefined || Buffer.from(given, "base64").toString() === login
    if (isRight && fault?._tag !== "RefuseLogin") return /^\S+ (\S+)/.exec(head)?.[1] ?? ""
    yield* say(ascii("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"))
    return undefined
  })
}

const untilNul = Effect.fnUntraced(function* (peer: Peer) {
  const bytes: Array<number> = []
  for (;;) {
    const [byte = 0] = yield* peer.receive(1)
    if (byte === 0) return Uint8Array.from(bytes)
    bytes.push(byte)
  }
})

type Answer = (fault: Extract<Fault, { readonly _tag: "Answer" }> | undefined) => Uint8Array

/** The answer to a request: success, or a failure. */
const answers: Readonly<Record<UpstreamOptions["protocol"], Answer>> = {
  socks5: (fault) => Uint8Array.of(5, fault?.code ?? 0, 0, 1, ...(fault ? [0, 0, 0, 0] : egress), 0, 0),
  socks4: (fault) => Uint8Array.of(0, fault?.code ?? 0x5a, 0, 0, ...(fault ? [0, 0, 0, 0] : egress)),
  http: (fault) => ascii(`HTTP/1.1 ${fault?.code ?? 200} answer\r\n${fault?.fields ?? ""}\r\n`)
}

/** The address from which the upstream connects to its targets: from a range for documentation (RFC 5737). */
const egress = [198, 51, 100, 77]

const hostText = (type: number, host: Uint8Array): string => {
  if (type === 1) return host.join(".")
  return type === 3
    ? text(host)
    : `[${Buffer.from(host)
        .toString("hex")
        .replace(/(.{4})(?=.)/g, "$1:")}]`
}

const portOf = ([high = 0, low = 0]: Uint8Array): number => (high << 8) | low

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1")

const ascii = (message: string): Uint8Array => Buffer.from(message, "latin1")
