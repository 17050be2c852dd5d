/**
 * Examples of the documentation, evaluated and run: their effects as programs, their layers built, on a network in
 * memory. What runs without an end may do so for a while.
 */
import * as Config from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { transformSync } from "rolldown/utils"
import { CurrentListener, Settings } from "../../src/index.ts"
import { layerServer } from "../../src/testing/index.ts"
import * as MemoryFiles from "./files.ts"

const modules: Readonly<Record<string, () => Promise<unknown>>> = {
  effect: () => import("effect"),
  "effect/net": () => import("effect/net"),
  "node:net": () => import("node:net"),
  "node:stream": () => import("node:stream"),
  "effect-socks": () => import("../../src/index.ts"),
  "effect-socks/testing": () => import("../../src/testing/index.ts")
}

/** The constants of an example, by their names. */
const evaluate = async (code: string): Promise<Readonly<Record<string, unknown>>> => {
  // The admin listener is on a real port, which another program may have.
  const { code: plain, errors } = transformSync(
    "example.ts",
    code.replaceAll("127.0.0.1:9090", "127.0.0.1:0")
  )
  if (errors.length > 0) throw new Error(JSON.stringify(errors))
  const names = Array.from(code.matchAll(/^const (\w+) = /gm), ([, name]) => name)
  const body = plain
    .replace(
      /^import \{(.*?)\} from "(.*?)";$/gms,
      (_, what: string, from: string) => `const {${what.replaceAll(" as ", ": ")}} = await load("${from}");`
    )
    .replace(/^export \{\};?$/gm, "")
  const run: (load: (from: string) => Promise<unknown>) => Promise<Readonly<Record<string, unknown>>> =
    new Function("load", `return (async () => {${body}\nreturn {${names.join()}} })()`) as never
  return run((from) => modules[from]!())
}

/** What examples find around them: a server, its network, and settings in a file and in the environment. */
const surroundings = () =>
  Layer.mergeAll(
    // No service of a server: what an example makes would take it.
    Layer.provide(CurrentListener.layer, Settings.layer()),
    layerServer({ listen: "127.0.0.1:1", users: Redacted.make("mallory:secret") }),
    MemoryFiles.layer({ "proxy.yaml": "listen: 127.0.0.1:1080" }),
    Config.layer(Config.fromEnvRecord({ PROXY_PORT: "1080", IDLE_TIMEOUT: "1 minute" }))
  )

/** Runs an example. Fails as it does, and gives how many of its constants were run. */
export const run = Effect.fnUntraced(function* (code: string) {
  const values = Object.values(yield* Effect.promise(() => evaluate(code)))
  const runnable = values.flatMap((value): ReadonlyArray<Effect.Effect<unknown, unknown>> => {
    const own = Effect.isEffect(value)
      ? value
      : Layer.isLayer(value)
        ? Layer.build(value as unknown as Layer.Layer<never>)
        : undefined
    return own === undefined
      ? []
      : [
          Effect.scoped(own as Effect.Effect<unknown, unknown>).pipe(
            Effect.timeoutOption("500 millis"),
            Effect.provide(surroundings())
          )
        ]
  })
  yield* Effect.all(runnable, { concurrency: "unbounded" })
  return runnable.length
})
