/**
 * A Dialer that goes by the session it works for: the connections of one user,
 * and those to one name, are made to a gateway instead of the target's address.
 */
import { Effect, Layer } from "effect"
import { NetAddress } from "effect/net"
import { CurrentSession, Dialer, Target } from "effect-socks"

const gateway = NetAddress.ipFromStringUnsafe("192.0.2.250")

/**
 * Around a Dialer that connects:
 *
 *     const MyDialer = DialerBySession.pipe(Layer.provide(Dialer.layer), Layer.provide(Settings.layer()))
 *     Server.layer({ … }).pipe(Layer.provide(MyDialer))
 */
export const DialerBySession = Layer.effect(
  Dialer,
  Effect.map(Dialer, ({ connect }) => ({
    connect: Effect.fnUntraced(function* (address, port) {
      const admitted = (yield* CurrentSession)?.admitted
      const name = admitted && Target.format(admitted.request.target)
      const isByGateway = admitted?.identity.user === "alice" || name === "intranet.example:80"
      return yield* connect(isByGateway ? gateway : address, port)
    })
  }))
)
