/**
 * The admin server: the API, its OpenAPI document, the metrics and the dashboard, on one listener. It is loaded only
 * where the setting `admin` is on.
 */

import type { RequestListener } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import type { Bans } from "../bans/Bans.ts"
import type { ListenFailed } from "../Errors.ts"
import { Metrics } from "../metrics/Metrics.ts"
import type { Events } from "../session/Events.ts"
import type { UsageRecords } from "../usage/UsageRecords.ts"
import * as AdminListener from "./AdminListener.ts"
import { AdminApi, Bearer } from "./Api.ts"
import * as Assets from "./Assets.ts"
import * as BanHandlers from "./BanHandlers.ts"
import * as Clash from "./Clash.ts"
import { Control, type Steered } from "./Control.ts"
import * as Dispatch from "./Dispatch.ts"
import * as EventHandlers from "./EventHandlers.ts"
import * as FleetHandlers from "./FleetHandlers.ts"
import * as FleetQuestions from "./FleetQuestions.ts"
import * as FleetUserChanges from "./FleetUserChanges.ts"
import type { Operations } from "./Operations.ts"
import type { Readiness } from "./Readiness.ts"
import * as ServerHandlers from "./ServerHandlers.ts"
import * as SessionHandlers from "./SessionHandlers.ts"
import type { Answer } from "./SharedAnswers.ts"
import * as UserHandlers from "./UserHandlers.ts"

/** The largest body of a request. */
const largestBody = ByteSize.kibibytes(64)

/** The longest name in a path: 255 bytes, each of which may be written in several characters. */
const longestParameter = 4096

/** Serves until the scope closes. */
export const serve = Effect.fnUntraced(function* (
  server: Steered,
  options: Omit<AdminListener.Options, "assets">
): Effect.fn.Return<
  AdminListener.Listening,
  ListenFailed,
  Bans | Events | Operations | Readiness | UsageRecords | Scope.Scope
> {
  const services = Layer.merge(Control.layer(server), NodeHttpServer.layerHttpServices)
  const app = yield* HttpRouter.toHttpEffect(Layer.provide(routes, services)).pipe(
    Effect.provideService(HttpRouter.RouterConfig, { maxParamLength: longestParameter })
  )
  const requests = yield* Scope.make()
  const handlers = Effect.gen(function* () {
    const handle = yield* NodeHttpServer.makeHandler(app, { scope: requests })
    const context = yield* Effect.context<never>()
    const read = HttpEffect.toWebHandlerWith<never, HttpServerRequest | Scope.Scope>(context)(app)
    return yield* Dispatch.make(handle as RequestListener, (target) =>
      Effect.promise(() => answered(read, target))
    )
  })
  const handle = yield* handlers.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, largestBody),
    Effect.provideService(References.TracerEnabled, false),
    Scope.provide(requests)
  )
  const assets = yield* Assets.load
  const listening = yield* AdminListener.listen({ ...options, assets }, handle)
  // Before the listener closes, so that no stream holds the stop.
  yield* Effect.addFinalizer(() => Scope.close(requests, Exit.void))
  return listening
})

/** The answer of the app to a request that reads, as bytes. */
const answered = async (read: (request: Request) => Promise<Response>, target: string): Promise<Answer> => {
  const response = await read(new Request(new URL(target, "http://localhost")))
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: new Uint8Array(await response.arrayBuffer())
  }
}

/** The metrics, where they are counted. */
const metrics = HttpRouter.use((router) =>
  Effect.flatMap(Effect.serviceOption(Metrics), (metrics) =>
    router.add(
      "GET",
      "/metrics",
      Option.match(metrics, {
        onNone: () => HttpServerResponse.text("# metrics are not counted\n", { contentType: exposition }),
        onSome: ({ prometheus }) =>
          Effect.map(prometheus, (text) => HttpServerResponse.text(text, { contentType: exposition }))
      })
    )
  )
)

const exposition = "text/plain; version=0.0.4; charset=utf-8"

const elsewhere = HttpRouter.add(
  "*",
  "/*",
  HttpServerResponse.json(
    { _tag: "NotFound", message: "there is no such path: /openapi.json lists them" },
    { status: 404 }
  )
)

/** The listener has checked the token of every request. Here the token is a part of the API's description. */
const checked = Layer.succeed(Bearer, { bearer: (effect) => effect })

const routes = Layer.mergeAll(
  HttpApiBuilder.layer(AdminApi, { openapiPath: "/openapi.json" }).pipe(
    Layer.provide(
      Layer.mergeAll(
        SessionHandlers.layer,
        BanHandlers.layer,
        UserHandlers.layer,
        ServerHandlers.layer,
        ServerHandlers.health,
        EventHandlers.layer,
        FleetHandlers.layer
      )
    ),
    Layer.provide([checked, HttpApiMiddleware.layerProblemDetails({ includeDetails: true })])
  ),
  metrics,
  FleetQuestions.layer,
  FleetUserChanges.layer,
  Clash.layer,
  elsewhere
)
