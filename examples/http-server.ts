/**
 * A proxy beside an HTTP server, in one app: the server lists the sessions of the proxy, and reloads it.
 *
 *     node examples/http-server.ts      (Node 22.18 and later run TypeScript as it is)
 *     curl -x socks5h://127.0.0.1:1080 http://127.0.0.1:3000/sessions
 */
import { createServer } from "node:http"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Reload, Server, Sessions } from "effect-socks"

const routes = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const { list } = yield* Sessions
    const reload = yield* Reload
    yield* router.add("GET", "/sessions", Effect.flatMap(list, HttpServerResponse.json))
    yield* router.add(
      "POST",
      "/close",
      reload({ listen: "127.0.0.1:1080", denyTarget: "*" }).pipe(
        Effect.match({
          onSuccess: () => HttpServerResponse.text("closed"),
          onFailure: ({ message }) => HttpServerResponse.text(message, { status: 500 })
        })
      )
    )
  })
)

/** Both of them, on these ports. */
export const AppLive = (ports: { readonly proxy: number; readonly http: number }) =>
  HttpRouter.serve(routes).pipe(
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: ports.http, host: "127.0.0.1" })),
    Layer.provideMerge(Server.layer({ listen: `127.0.0.1:${ports.proxy}` }))
  )

if (process.argv[1] === import.meta.filename) {
  Layer.launch(AppLive({ proxy: 1080, http: 3000 })).pipe(NodeRuntime.runMain)
}
