/**
 * SOCKS5 upstreams (RFC 1928), with user and password (RFC 1929).
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import {
  AddressFamilyUnavailable,
  ConnectFailed,
  ConnectionRefused,
  ConnectTimeout,
  type DialError,
  HostUnreachable,
  NetworkUnreachable,
  NotAllowed,
  RouteUnable,
  UpstreamFailed,
  UpstreamLoginFailed
} from "../../Errors.ts"
import { Command, Method, ReplyCode } from "../../wire/Socks5.ts"
import * as Socks5Client from "../../wire/Socks5Client.ts"
import { unspecified } from "../../wire/Target.ts"
import type { Conversation, Read } from "../Conversation.ts"
import type { Kind, Request } from "./Kind.ts"

/** Logs in and asks for a command. Without credentials the upstream is offered to be used without. */
export const ask = Effect.fnUntraced(function* (
  conversation: Conversation,
  command: number,
  { target, credentials, isPipelined }: Pick<Request, "target" | "credentials" | "isPipelined">
): Effect.fn.Return<void, DialError> {
  const method = credentials ? Method.UsernamePassword : Method.NoAuthentication
  yield* conversation.send(Socks5Client.greeting(method))
  const { upstream } = conversation
  yield* conversation.defer((read) => selected(read, method, upstream))
  if (!isPipelined) yield* conversation.settle
  if (credentials) {
    yield* conversation.send(Socks5Client.credentials(credentials))
    yield* conversation.defer((read) => loggedIn(read, upstream))
    if (!isPipelined) yield* conversation.settle
  }
  yield* conversation.send(Socks5Client.request(command, target))
})

const selected = (read: Read, method: Method, upstream: string): Effect.Effect<void, DialError> =>
  Effect.flatMap(read(Socks5Client.methodSelection), (answer): Effect.Effect<void, DialError> => {
    if (answer === method) return Effect.void
    if (answer !== Method.NoneAcceptable) {
      const reason = `it selects the method ${answer}, which was not offered`
      return Effect.fail(new UpstreamFailed({ upstream, reason }))
    }
    const reason = method === Method.UsernamePassword ? "it takes no password" : "it wants a password"
    return Effect.fail(new UpstreamLoginFailed({ upstream, reason }))
  })

const loggedIn = (read: Read, upstream: string): Effect.Effect<void, DialError> =>
  Effect.flatMap(read(Socks5Client.credentialsStatus), (status) =>
    status === 0
      ? Effect.void
      : Effect.fail(new UpstreamLoginFailed({ upstream, reason: "it refuses the user or password" }))
  )

/** Reads the reply to a command. Returns BND.ADDR and BND.PORT, unless they are a name. */
export const replied = (read: Read): Effect.Effect<NetAddress.InetAddress | undefined, DialError> =>
  Effect.flatMap(read(Socks5Client.reply), ({ code, bound }) =>
    code === ReplyCode.Succeeded ? Effect.succeed(bound) : Effect.fail(failure(code))
  )

/** The error of which the reply tells (RFC 1928 §6). */
const failure = (code: number): DialError =>
  failures[code]?.() ?? new ConnectFailed({ code: `reply ${code} of the upstream` })

const failures: Readonly<Record<number, () => DialError>> = {
  [ReplyCode.NotAllowed]: () => new NotAllowed({ reason: "the upstream does not allow it" }),
  [ReplyCode.NetworkUnreachable]: () => new NetworkUnreachable(),
  [ReplyCode.HostUnreachable]: () => new HostUnreachable(),
  [ReplyCode.ConnectionRefused]: () => new ConnectionRefused(),
  [ReplyCode.TtlExpired]: () => new ConnectTimeout(),
  [ReplyCode.CommandNotSupported]: () =>
    new RouteUnable({ reason: "the upstream does not support the command" }),
  [ReplyCode.AddressTypeNotSupported]: () => new AddressFamilyUnavailable()
}

export const kind: Kind = {
  connect: (conversation, request) =>
    Effect.andThen(
      ask(conversation, Command.Connect, request),
      conversation.defer((read) =>
        Effect.map(replied(read), (bound) => {
          if (bound && !NetAddress.isUnspecified(bound.address)) request.bound(bound)
        })
      )
    ),
  associate: Effect.fnUntraced(function* (conversation, request) {
    yield* ask(conversation, Command.UdpAssociate, { ...request, target: unspecified })
    return yield* address(conversation)
  }),
  bind: Effect.fnUntraced(function* (conversation, request) {
    yield* ask(conversation, Command.Bind, request)
    return { at: yield* address(conversation), accepted: address(conversation) }
  })
}

/** The address in a reply. */
const address = (conversation: Conversation): Effect.Effect<NetAddress.InetAddress, DialError> =>
  Effect.flatMap(conversation.ask(replied), (bound) =>
    bound === undefined
      ? Effect.fail(
          new UpstreamFailed({ upstream: conversation.upstream, reason: "a reply without an address" })
        )
      : Effect.succeed(bound)
  )
