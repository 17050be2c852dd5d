/**
 * The name that this server has in `Via` (RFC 9110 §7.6.3). It tells this server
 * from others of its kind, so that a request that comes back is recognised.
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

export class Pseudonym extends Context.Service<Pseudonym, string>()("effect-socks/network/Pseudonym") {
  /** One that no other server has. */
  static readonly random = (): string => `effect-socks-${globalThis.crypto.randomUUID().slice(0, 8)}`

  static readonly layer: Layer.Layer<Pseudonym> = Layer.sync(Pseudonym, Pseudonym.random)
}
