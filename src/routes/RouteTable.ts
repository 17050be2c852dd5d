/**
 * The routes of the settings, made ready: the files of their upstreams are read. Loaded only where the settings have
 * routes.
 */
import * as Effect from "effect/Effect"
import { BadSetting } from "../Errors.ts"
import * as TlsClient from "../network/TlsClient.ts"
import { printable } from "../wire/Text.ts"
import type * as Chain from "./Chain.ts"
import * as Deny from "./Deny.ts"
import * as Direct from "./Direct.ts"
import type { Route } from "./Route.ts"
import * as Router from "./Router.ts"
import type { RouteSettings } from "./Settings.ts"
import * as Upstreams from "./Upstreams.ts"
import type { Upstream } from "./UpstreamUrl.ts"

/** The route of a server with these settings. */
export const make = Effect.fnUntraced(function* ({
  upstream,
  noProxy
}: RouteSettings["Service"]): Effect.fn.Return<Route, BadSetting> {
  const routes = new Map<string, Route>([
    ["direct", Direct.route],
    ["deny", Deny.route]
  ])
  const [first, ...others] = yield* Effect.forEach(upstream, (each) => hopOf("--upstream", each))
  if (first) routes.set("upstream", Upstreams.make({ name: "upstream", hops: [first, ...others] }))
  return Router.make({ routes, fallback: first ? "upstream" : "direct", noProxy })
})

/** An upstream with its TLS handshake. Fails for files that cannot be used. */
const hopOf = (setting: string, upstream: Upstream): Effect.Effect<Chain.Hop, BadSetting> =>
  upstream.isTls
    ? Effect.mapBoth(TlsClient.load(upstream.files), {
        onSuccess: (secure) => ({ upstream, secure }),
        onFailure: ({ file, expected }) =>
          new BadSetting({ setting, value: `"${printable(file)}"`, expected })
      })
    : Effect.succeed({ upstream, secure: undefined })
