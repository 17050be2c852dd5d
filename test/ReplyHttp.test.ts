/**
 * Every error there is, as an HTTP client gets to know it: the status, the
 * error type of RFC 9209, and a line for people.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { Authenticator } from "../src/auth/Authenticator.ts"
import * as Errors from "../src/Errors.ts"
import { Dialer } from "../src/network/Dialer.ts"
import type { answers } from "../src/Reply.ts"
import { SessionRegistry } from "../src/session/SessionRegistry.ts"
import {
  connect,
  dialer,
  failingDialer,
  failingResolver,
  layer,
  pseudonym,
  type Replacements
} from "../src/testing/index.ts"
import { utf8 } from "./support/bytes.ts"
import { message, receiveAll, text } from "./support/http.ts"
import { settled } from "./support/streams.ts"

interface Case {
  readonly sends?: Uint8Array
  /** Status and error type; nothing where the client gets nothing. */
  readonly gets?: readonly [status: number, error: string, details?: string]
  readonly says?: string
  readonly retryAfter?: string
  readonly replacements?: Replacements
  readonly sessions?: Layer.Layer<SessionRegistry>
}

const get = (...fields: ReadonlyArray<string>) =>
  message(["GET http://target.example/ HTTP/1.1", "Host: target.example", "Connection: close", ...fields])

const dialing = (error: Errors.DialError, ...gets: readonly [number, string]): Case => ({
  replacements: { dialer: failingDialer(error) },
  gets
})

const resolving = (error: Errors.ResolveError, ...gets: readonly [number, string]): Case => ({
  replacements: { resolver: failingResolver(error) },
  gets
})

const admitting = (
  error: Errors.TooManySessions | Errors.LimitError,
  ...gets: readonly [number, string]
): Case => ({
  gets,
  sessions: Layer.effect(
    SessionRegistry,
    Effect.map(SessionRegistry, (sessions) => ({ ...sessions, admit: () => Effect.fail(error) }))
  ).pipe(Layer.provide(layer()))
})

const asAlice: Replacements = {
  authenticator: Authenticator.layerUsers([{ name: "alice", password: Redacted.make("secret") }])
}

const verifying = (error: Errors.VerificationError): Case => ({
  replacements: {
    authenticator: Layer.succeed(Authenticator, { methods: [0x02], verify: () => Effect.fail(error) })
  },
  sends: get(`Proxy-Authorization: Basic ${btoa("alice:secret")}`),
  gets: [503, "proxy_internal_error"]
})

const unreachable = "destination_ip_unroutable"

/** What happens before anyone knows it for HTTP, and what no HTTP client can ask for. */
type Unheard =
  | "CommandNotSupported"
  | "AddressTypeNotSupported"
  | "Banned"
  | "UnknownProtocol"
  | "MalformedProxyHeader"
  | "TlsFailed"
  | "CertificateRefused"
  // Answers, and no errors: see `Forward.test.ts` and `AutoConfig.test.ts`.
  | "LastHop"
  | "AutoConfigRequested"

const cases: Record<Exclude<keyof typeof answers, Unheard>, Case> = {
  ClientGone: { sends: message(["GET"]).slice(0, 2) },
  HandshakeTimeout: { sends: get().slice(0, -2), gets: [408, "http_request_error"] },
  TooManyHandshakes: {
    sessions: Layer.effect(
      SessionRegistry,
      Effect.map(SessionRegistry, (sessions) => ({
        ...sessions,
        open: () => Effect.fail(new Errors.TooManyHandshakes({ limit: 0 }))
      }))
    ).pipe(Layer.provide(layer()))
  },

  NoAcceptableMethod: {
    replacements: asAlice,
    gets: [407, "http_request_denied"],
    says: "no acceptable method"
  },
  MalformedCredentials: {
    replacements: asAlice,
    sends: get("Proxy-Authorization: Bearer abc"),
    gets: [407, "http_request_denied"],
    says: "malformed credentials: the scheme is not Basic"
  },
  AuthenticationFailed: {
    replacements: asAlice,
    sends: get(`Proxy-Authorization: Basic ${btoa("alice:guess")}`),
    gets: [407, "http_request_denied"],
    says: "authentication failed"
  },
  TooManyLogins: verifying(new Errors.TooManyLogins({ limit: 0 })),
  AuthenticationUnavailable: verifying(new Errors.AuthenticationUnavailable({ reason: "ECONNREFUSED" })),

  MalformedRequest: {
    sends: message(["GET ftp://target.example/ HTTP/1.1", "Host: target.example"]),
    gets: [400, "http_request_error"],
    says: "malformed request: only http: is forwarded, others need CONNECT"
  },
  InvalidTarget: {
    sends: message(["GET http://target.example:0/ HTTP/1.0"]),
    gets: [400, "http_request_error"],
    says: "invalid target: port 0 cannot be connected to"
  },
  HeadTooLarge: { sends: get(`X: ${"x".repeat(66_000)}`), gets: [431, "http_request_error"] },
  NotForProxy: {
    sends: message(["GET /<script> HTTP/1.1", "Host: 127.0.0.1:1080"]),
    gets: [400, "http_request_error"]
  },
  LoopDetected: { sends: get(`Via: 1.1 before, 1.1 ${pseudonym}`), gets: [508, "proxy_loop_detected"] },

  MethodNotAllowed: {
    sends: message(["TRACE http://target.example/ HTTP/1.1", "Host: target.example"]),
    gets: [405, "http_request_denied"],
    says: "method not allowed: TRACE is not forwarded"
  },

  NotAllowed: {
    replacements: { dialer: failingDialer(new Errors.NotAllowed({ reason: 'no "mail" für you' })) },
    gets: [403, "http_request_denied", '; details="no \\"mail\\" f?r you"'],
    says: `not allowed: no "mail" f${text(utf8("ü"))}r you`
  },
  NameNotFound: resolving(new Errors.NameNotFound({ name: "target.example" }), 502, "dns_error"),
  ResolutionFailed: resolving(
    new Errors.ResolutionFailed({ name: "target.example", code: "ESERVFAIL" }),
    502,
    "dns_error"
  ),
  ResolutionTimeout: resolving(new Errors.ResolutionTimeout({ name: "target.example" }), 504, "dns_timeout"),
  ConnectionRefused: dialing(new Errors.ConnectionRefused(), 502, "connection_refused"),
  NetworkUnreachable: dialing(new Errors.NetworkUnreachable(), 502, unreachable),
  HostUnreachable: dialing(new Errors.HostUnreachable(), 502, unreachable),
  ConnectTimeout: dialing(new Errors.ConnectTimeout(), 504, "connection_timeout"),
  AddressFamilyUnavailable: dialing(new Errors.AddressFamilyUnavailable(), 502, unreachable),
  EgressUnavailable: dialing(
    new Errors.EgressUnavailable({ address: "192.0.2.10" }),
    502,
    "proxy_configuration_error"
  ),
  ConnectFailed: dialing(new Errors.ConnectFailed({ code: "EPROTO" }), 502, "destination_unavailable"),

  BadResponse: {
    replacements: { dialer: dialer(({ duplex }) => duplex.once("data", () => duplex.end("220 smtp\r\n"))) },
    gets: [
      502,
      "http_protocol_error",
      '; next-hop="192.0.2.1:80"; details="the status line is none of HTTP/1"'
    ],
    says: "bad response: the status line is none of HTTP/1"
  },
  ResponseTimeout: {
    replacements: { dialer: dialer(() => {}) },
    gets: [504, "http_response_timeout", '; next-hop="192.0.2.1:80"']
  },

  SessionLimitReached: admitting(
    new Errors.SessionLimitReached({ whose: "user", limit: 0 }),
    429,
    "connection_limit_reached"
  ),
  TooManyNewSessions: {
    ...admitting(
      new Errors.TooManyNewSessions({ whose: "client", limit: 0, retryAfter: 1 }),
      429,
      "http_request_denied"
    ),
    retryAfter: "1"
  },
  QuotaExceeded: {
    ...admitting(
      new Errors.QuotaExceeded({ whose: "user", period: "month", limit: 0, retryAfter: 86_400 }),
      429,
      "http_request_denied"
    ),
    says: "quota exceeded: for this month",
    retryAfter: "86400"
  },
  TooManySessions: admitting(new Errors.TooManySessions({ limit: 0 }), 503, "connection_limit_reached"),
  UpstreamUnreachable: dialing(
    new Errors.UpstreamUnreachable({ upstream: "http://h:80", reason: "refused" }),
    502,
    "destination_unavailable"
  ),
  UpstreamTimeout: dialing(
    new Errors.UpstreamTimeout({ upstream: "http://h:80" }),
    502,
    "destination_unavailable"
  ),
  UpstreamLoginFailed: dialing(
    new Errors.UpstreamLoginFailed({ upstream: "http://h:80", reason: "password" }),
    502,
    "proxy_configuration_error"
  ),
  UpstreamFailed: dialing(
    new Errors.UpstreamFailed({ upstream: "http://h:80", reason: "closed" }),
    502,
    "proxy_internal_error"
  ),
  RouteUnable: dialing(new Errors.RouteUnable({ reason: "no datagrams" }), 501, "http_request_denied"),
  OutOfResources: dialing(new Errors.OutOfResources({ code: "EMFILE" }), 503, "proxy_internal_error"),
  ServerFault: {
    gets: [500, "proxy_internal_error"],
    replacements: { dialer: Layer.succeed(Dialer, { connect: () => Effect.die("a bug") }) }
  }
}

/** What has to pass before the answer comes. */
const patience: Readonly<Record<string, string>> = {
  HandshakeTimeout: "10 seconds",
  // The idle timeout, to a tenth.
  ResponseTimeout: "16.5 minutes"
}

describe("Reply to HTTP", () => {
  for (const [tag, { sends = get(), gets, says, retryAfter, replacements = {}, sessions }] of Object.entries(
    cases
  )) {
    const services = sessions ? Layer.provideMerge(sessions, layer(replacements)) : layer(replacements)
    it.effect(`${tag}: ${gets?.join(" ") ?? "silence"}`, () =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(sends)
        if (tag === "ClientGone") yield* client.end
        const time = patience[tag]
        if (time) {
          yield* settled
          yield* TestClock.adjust(time as "10 seconds")
        }
        const { start, status, fields, body } = yield* receiveAll(client)
        if (!gets) return assert.strictEqual(start, "")
        const [code, error, details = ""] = gets
        assert.deepStrictEqual(
          [status, fields["proxy-status"]],
          [code, `effect-socks; error=${error}${details}`]
        )
        assert.strictEqual(fields["content-length"], String(body.length))
        assert.strictEqual(fields.connection, "close")
        assert.strictEqual(fields["retry-after"], retryAfter)
        if (says) assert.strictEqual(body, `effect-socks: ${says}\n`)
        assert.notMatch(body, /script|EMFILE|EPROTO|bug/)
      }).pipe(Effect.provide(services))
    )
  }
})
