/**
 * SOCKS4 upstreams. A name is sent as SOCKS4A has it.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import { AddressFamilyUnavailable, ConnectFailed, type DialError, UpstreamLoginFailed } from "../../Errors.ts"
import { Command, ReplyCode } from "../../wire/Socks4.ts"
import * as Socks4Client from "../../wire/Socks4Client.ts"
import type { Read } from "../Conversation.ts"
import type { Kind } from "./Kind.ts"

export const kind: Kind = {
  connect: Effect.fnUntraced(function* (conversation, { target: { host, port }, credentials, bound }) {
    // The protocol has no IPv6.
    if (NetAddress.isIpv6Address(host)) return yield* new AddressFamilyUnavailable()
    const { upstream } = conversation
    const userId = credentials?.username ?? new Uint8Array(0)
    yield* conversation.send(Socks4Client.request(Command.Connect, { host, port }, userId))
    yield* conversation.defer((read) =>
      Effect.map(replied(read, upstream), (address) => {
        if (!NetAddress.isUnspecified(address.address)) bound(address)
      })
    )
  })
}

const replied = Effect.fnUntraced(function* (
  read: Read,
  upstream: string
): Effect.fn.Return<NetAddress.InetAddress, DialError> {
  const { code, bound } = yield* read(Socks4Client.reply)
  if (code === ReplyCode.Granted) return bound
  if (code === Socks4Client.ReplyCode.NoIdent || code === Socks4Client.ReplyCode.OtherIdent) {
    return yield* new UpstreamLoginFailed({ upstream, reason: `it refuses the user (code ${code})` })
  }
  return yield* new ConnectFailed({ code: `reply ${code} of the upstream` })
})
