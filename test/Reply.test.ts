/**
 * Every error there is, thrown by an injected layer or earned by what is sent,
 * and the exact bytes that the client gets for it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { Authenticator } from "../src/auth/Authenticator.ts"
import { Bans } from "../src/bans/Bans.ts"
import * as Errors from "../src/Errors.ts"
import { Dialer } from "../src/network/Dialer.ts"
import * as NodeTransport from "../src/network/NodeTransport.ts"
import type { Secure } from "../src/network/Tls.ts"
import type { answers } from "../src/Reply.ts"
import { SessionRegistry } from "../src/session/SessionRegistry.ts"
import {
  connect,
  connectWith,
  failingDialer,
  failingResolver,
  layer,
  type Replacements
} from "../src/testing/index.ts"
import { credentials, greeting, reply, request } from "./support/messages.ts"

interface Case {
  readonly sends: ReadonlyArray<number>
  readonly gets: ReadonlyArray<number>
  readonly replacements?: Replacements
  /** Added to the services, or in the place of some. */
  readonly instead?: Layer.Layer<never, never, Bans>
  readonly secure?: Secure
}

const noMethod = [0x05, 0xff]
const noAuthentication = [0x05, 0x00]
const password = [0x05, 0x02]

const dialing = (error: Errors.DialError, code: number): Case => ({
  replacements: { dialer: failingDialer(error) },
  sends: [...greeting(0x00), ...request("192.0.2.1", 80)],
  gets: [...noAuthentication, ...reply(code)]
})

const resolving = (error: Errors.ResolveError, code: number): Case => ({
  replacements: { resolver: failingResolver(error) },
  sends: [...greeting(0x00), ...request("target.example", 80)],
  gets: [...noAuthentication, ...reply(code)]
})

const requesting = (sends: ReadonlyArray<number>, code: number): Case => ({
  sends: [...greeting(0x00), ...sends],
  gets: [...noAuthentication, ...reply(code)]
})

const admitting = (error: Errors.TooManySessions | Errors.LimitError, code: number): Case => ({
  ...requesting(request("192.0.2.1", 80), code),
  instead: Layer.effect(
    SessionRegistry,
    Effect.map(SessionRegistry, (sessions) => ({ ...sessions, admit: () => Effect.fail(error) }))
  ).pipe(Layer.provide(layer()))
})

const verifying = (error: Errors.VerificationError): Case => ({
  replacements: {
    authenticator: Layer.succeed(Authenticator, { methods: [0x02], verify: () => Effect.fail(error) })
  },
  sends: [...greeting(0x02), ...credentials("alice", "secret")],
  gets: [...password, 0x01, 0x01]
})

const asAlice: Replacements = {
  authenticator: Authenticator.layerUsers([{ name: "alice", password: Redacted.make("secret") }])
}

const banned = Layer.effectDiscard(
  Effect.flatMap(Bans, ({ ban }) =>
    ban(IpNetwork.fromStringUnsafe("203.0.113.0/24"), Duration.minutes(1), "a test")
  )
)

/** What only HTTP can earn: see `ReplyHttp.test.ts`, which has all the others too. */
type OnlyHttp =
  | "HeadTooLarge"
  | "NotForProxy"
  | "AutoConfigRequested"
  | "MethodNotAllowed"
  | "LastHop"
  | "BadResponse"
  | "ResponseTimeout"

const cases: Record<Exclude<keyof typeof answers, OnlyHttp>, Case> = {
  ClientGone: { sends: [0x05], gets: [] },
  HandshakeTimeout: { sends: greeting(0x00), gets: noAuthentication },
  Banned: { instead: banned, sends: greeting(0x00), gets: [] },
  UnknownProtocol: { sends: [0x16, 0x03, 0x01], gets: [] },
  MalformedProxyHeader: {
    replacements: { config: { proxyProtocolFrom: [IpNetwork.fromStringUnsafe("203.0.113.0/24")] } },
    sends: greeting(0x00),
    gets: []
  },
  TlsFailed: { secure: () => Effect.fail(new Errors.TlsFailed({ code: "EPROTO" })), sends: [0x16], gets: [] },
  CertificateRefused: {
    secure: (plain, unread) =>
      Effect.succeed({
        transport: NodeTransport.make(plain.handOver(unread)),
        subject: { commonNames: ["alice"], whole: "CN=alice" }
      }),
    replacements: {
      authenticator: Authenticator.layerUsers([
        { name: "alice", password: Redacted.make("secret"), expires: 0 }
      ])
    },
    sends: [0x16],
    gets: []
  },
  TooManyHandshakes: {
    sends: greeting(0x00),
    gets: [],
    instead: Layer.effect(
      SessionRegistry,
      Effect.map(SessionRegistry, (sessions) => ({
        ...sessions,
        open: () => Effect.fail(new Errors.TooManyHandshakes({ limit: 0 }))
      }))
    ).pipe(Layer.provide(layer()))
  },

  NoAcceptableMethod: { sends: greeting(0x01, 0x80), gets: noMethod },
  MalformedCredentials: {
    replacements: asAlice,
    sends: [...greeting(0x02), 0x05, 0x01, 0x61, 0x01, 0x61],
    gets: [...password, 0x01, 0x01]
  },
  AuthenticationFailed: {
    replacements: asAlice,
    sends: [...greeting(0x02), ...credentials("alice", "guess")],
    gets: [...password, 0x01, 0x01]
  },
  TooManyLogins: verifying(new Errors.TooManyLogins({ limit: 0 })),
  AuthenticationUnavailable: verifying(new Errors.AuthenticationUnavailable({ reason: "ECONNREFUSED" })),

  MalformedRequest: requesting([0x04, 0x01, 0x00, 0x01], 0x01),
  CommandNotSupported: requesting(request("192.0.2.1", 80, 0x02), 0x07),
  AddressTypeNotSupported: requesting([0x05, 0x01, 0x00, 0x02], 0x08),
  InvalidTarget: requesting(request("127.0.0.1\0x", 80), 0x01),

  NotAllowed: dialing(new Errors.NotAllowed({ reason: "a rule" }), 0x02),
  SessionLimitReached: admitting(new Errors.SessionLimitReached({ whose: "user", limit: 0 }), 0x02),
  TooManyNewSessions: admitting(
    new Errors.TooManyNewSessions({ whose: "client", limit: 0, retryAfter: 1 }),
    0x02
  ),
  QuotaExceeded: admitting(
    new Errors.QuotaExceeded({ whose: "user", period: "day", limit: 0, retryAfter: 1 }),
    0x02
  ),
  NameNotFound: resolving(new Errors.NameNotFound({ name: "target.example" }), 0x04),
  ResolutionFailed: resolving(
    new Errors.ResolutionFailed({ name: "target.example", code: "ESERVFAIL" }),
    0x04
  ),
  ResolutionTimeout: resolving(new Errors.ResolutionTimeout({ name: "target.example" }), 0x04),
  ConnectionRefused: dialing(new Errors.ConnectionRefused(), 0x05),
  NetworkUnreachable: dialing(new Errors.NetworkUnreachable(), 0x03),
  HostUnreachable: dialing(new Errors.HostUnreachable(), 0x04),
  ConnectTimeout: dialing(new Errors.ConnectTimeout(), 0x06),
  AddressFamilyUnavailable: dialing(new Errors.AddressFamilyUnavailable(), 0x08),
  EgressUnavailable: dialing(new Errors.EgressUnavailable({ address: "192.0.2.10" }), 0x01),
  ConnectFailed: dialing(new Errors.ConnectFailed({ code: "EPROTO" }), 0x01),

  TooManySessions: admitting(new Errors.TooManySessions({ limit: 0 }), 0x01),
  UpstreamUnreachable: dialing(
    new Errors.UpstreamUnreachable({ upstream: "http://h:80", reason: "refused" }),
    0x01
  ),
  UpstreamTimeout: dialing(new Errors.UpstreamTimeout({ upstream: "http://h:80" }), 0x01),
  UpstreamLoginFailed: dialing(
    new Errors.UpstreamLoginFailed({ upstream: "http://h:80", reason: "password" }),
    0x01
  ),
  UpstreamFailed: dialing(new Errors.UpstreamFailed({ upstream: "http://h:80", reason: "closed" }), 0x01),
  LoopDetected: dialing(new Errors.LoopDetected(), 0x01),
  RouteUnable: dialing(new Errors.RouteUnable({ reason: "no datagrams" }), 0x07),
  OutOfResources: dialing(new Errors.OutOfResources({ code: "EMFILE" }), 0x01),
  ServerFault: {
    ...requesting(request("192.0.2.1", 80), 0x01),
    replacements: { dialer: Layer.succeed(Dialer, { connect: () => Effect.die("a bug") }) }
  }
}

describe("Reply", () => {
  for (const host of ["0.0.0.0", new Array(16).fill(0)] as const) {
    it.effect(
      `the unspecified address is nobody's, ${typeof host === "string" ? "in IPv4" : "in IPv6"}`,
      () =>
        Effect.gen(function* () {
          const client = yield* connect
          yield* client.send([...greeting(0x00), ...request(host, 80)])
          assert.deepStrictEqual([...(yield* client.rest)], [...noAuthentication, ...reply(0x01)])
        }).pipe(Effect.provide(layer()))
    )
  }

  for (const [tag, { sends, gets, replacements = {}, instead, secure }] of Object.entries(cases)) {
    const services = instead ? Layer.provideMerge(instead, layer(replacements)) : layer(replacements)
    it.effect(
      `${tag}: ${gets.map((byte) => byte.toString(16).padStart(2, "0")).join(" ") || "silence"}`,
      () =>
        Effect.gen(function* () {
          const client = yield* secure ? connectWith({ secure }) : connect
          yield* client.send(sends)
          if (tag === "ClientGone") yield* client.end
          if (tag === "HandshakeTimeout") {
            yield* client.receive(gets.length).pipe(Effect.tap(() => TestClock.adjust("10 seconds")))
            assert.strictEqual(yield* client.ending, "end")
          } else {
            assert.deepStrictEqual([...(yield* client.rest)], gets)
          }
        }).pipe(Effect.provide(services))
    )
  }
})
