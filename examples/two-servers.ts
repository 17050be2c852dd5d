/**
 * Two proxies in one app: one for the app's own machine, and one for others, who log in and reach one name only.
 * Each has a tag of its own, since both are a `Server`.
 */
import { Context, Layer, Redacted } from "effect"
import { Server } from "effect-socks"

export class Inside extends Context.Service<Inside, Server["Service"]>()("example/Inside") {
  static readonly layer = Layer.effect(Inside, Server).pipe(
    Layer.provide(Server.layer({ listen: "127.0.0.1:0" }))
  )
}

export class Outside extends Context.Service<Outside, Server["Service"]>()("example/Outside") {
  static readonly layer = Layer.effect(Outside, Server).pipe(
    Layer.provide(
      Server.layer({
        listen: "0.0.0.0:0",
        users: { name: "partner", password: Redacted.make("secret") },
        rules: { allow: true, users: "partner", to: "api.example:443" },
        maxSessionsPerUser: 20,
        bandwidthUser: "10 MiB"
      })
    )
  )
}

export const ProxiesLive = Layer.merge(Inside.layer, Outside.layer)
