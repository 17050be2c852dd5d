/**
 * The name of this server in `Via` (RFC 9110 §7.6.3). Each server has another name, so a server recognises a request
 * that it has forwarded before.
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

export class Pseudonym extends Context.Service<Pseudonym, string>()("effect-socks/network/Pseudonym") {
  /** A random name. */
  static readonly random = (): string => `effect-socks-${globalThis.crypto.randomUUID().slice(0, 8)}`

  static readonly layer: Layer.Layer<Pseudonym> = Layer.sync(Pseudonym, Pseudonym.random)
}
