/**
 * The spans of sessions, as a tracer of an app sees them. On a network in memory.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { Dialer, Errors, type ServerOptions, SessionSampling } from "../../src/index.ts"
import { layerServer, Network } from "../../src/testing/index.ts"
import { credentials, greeting, request } from "../support/messages.ts"
import { settled } from "../support/streams.ts"

/** A tracer, and the spans that it has made. */
const makeTracer = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { spans, tracer }
}

/** The spans that the server makes while this runs. */
const spansOf = <E>(
  run: Effect.Effect<void, E, Network | Scope.Scope>,
  { sampling = 1, ...options }: ServerOptions & { readonly sampling?: number } = {}
) => {
  const { spans, tracer } = makeTracer()
  return run.pipe(
    Effect.provide(
      layerServer(options).pipe(
        Layer.provide(Layer.succeed(SessionSampling, sampling)),
        Layer.provide(Layer.succeed(Tracer.Tracer, tracer))
      )
    ),
    // The span of the app, in which the server is built.
    Effect.withSpan("app"),
    Effect.scoped,
    Effect.map(() => spans)
  )
}

/** One client, which gets an answer of the target if it is allowed to, and then goes. */
const visit = Effect.fnUntraced(function* (name: string, bytes: ReadonlyArray<number>) {
  const { connect, target, reset } = yield* Network
  yield* target("target.example:80", ({ send }) => Effect.andThen(send(name), Effect.never))
  const client = yield* connect()
  yield* client.send(bytes)
  yield* settled
  yield* reset
  yield* settled
})

const asking = [...greeting(0), ...request("target.example", 80)]

const treeOf = (spans: ReadonlyArray<Tracer.Span>) =>
  spans.map(({ name, parent }) => {
    const above = Option.getOrUndefined(parent)
    return above?._tag === "Span" ? `${above.name}/${name}` : name
  })

describe("the span of a session", () => {
  it.effect("has a child for each phase, and the fields of the log line", () =>
    Effect.gen(function* () {
      const spans = yield* spansOf(
        visit("hello", [...greeting(2), ...credentials("alice", "secret"), ...request("target.example", 80)]),
        { users: { name: "alice", password: "secret" } as never }
      )
      assert.deepStrictEqual(treeOf(spans), [
        "session",
        "session/handshake",
        "handshake/authenticate",
        "session/decide",
        "decide/resolve",
        "session/dial",
        "session/relay"
      ])
      const [session] = spans
      assert.strictEqual(session?.kind, "server")
      assert.isTrue(spans.every(({ status }) => status._tag === "Ended"))
      const { user, target, outcome, received, protocol } = Object.fromEntries(session?.attributes ?? [])
      assert.deepStrictEqual(
        { user, target, outcome, received, protocol },
        {
          user: "alice",
          target: "target.example:80",
          outcome: "client reset",
          received: 5,
          protocol: "SOCKS5"
        }
      )
      assert.deepStrictEqual(
        session?.events.map(([name]) => name),
        ["first byte"]
      )
    })
  )

  it.effect("ends with the error of a session that is refused", () =>
    Effect.gen(function* () {
      const spans = yield* spansOf(visit("hello", asking), { denyTarget: "target.example" })
      const [session, , decide] = spans
      assert.strictEqual(decide?.name, "decide")
      for (const span of [session, decide]) {
        assert.strictEqual(span?.status._tag === "Ended" && span.status.exit._tag, "Failure")
      }
      assert.strictEqual(session?.attributes.get("outcome"), "NotAllowed")
    })
  )

  it.effect("is made for the part of sessions that is sampled", () =>
    Effect.gen(function* () {
      // Each connection draws a lot, too, for the limit of handshakes.
      const lots = [0.9, 0.4, 0.9, 0.6]
      const drawing = Layer.succeed(Random.Random, {
        nextIntUnsafe: () => 0,
        nextDoubleUnsafe: () => lots.shift() ?? 0.9
      })
      const visits = Effect.andThen(visit("hello", asking), visit("hello", asking))
      const some = yield* Effect.provide(spansOf(visits, { sampling: 0.5 }), drawing)
      assert.strictEqual(some.filter(({ name }) => name === "session").length, 1)
      assert.deepStrictEqual(yield* spansOf(visit("hello", asking), { sampling: 0 }), [])
    })
  )

  it.effect("is not paid for by sessions that are not sampled: their connections have one context", () =>
    Effect.gen(function* () {
      const contexts: Array<unknown> = []
      const { spans, tracer } = makeTracer()
      const dialer = Layer.succeed(Dialer, {
        connect: () =>
          Effect.withFiber((fiber) => {
            contexts.push(fiber.cache)
            return Effect.withSpan(Effect.fail(new Errors.NetworkUnreachable()), "of the app")
          })
      })
      const visits = Effect.andThen(visit("hello", asking), visit("hello", asking))
      yield* Effect.scoped(
        Effect.provide(
          visits,
          layerServer({}).pipe(
            Layer.provide([dialer, Layer.succeed(SessionSampling, 0), Layer.succeed(Tracer.Tracer, tracer)])
          )
        )
      )
      assert.lengthOf(contexts, 2)
      assert.strictEqual(contexts[0], contexts[1])
      assert.deepStrictEqual(spans, [])
    })
  )
})
