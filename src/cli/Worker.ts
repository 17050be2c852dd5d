/**
 * What a worker does: it serves as its primary says, and as long as it says.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { RememberedLogins } from "../auth/RememberedLogins.ts"
import { Bans } from "../bans/Bans.ts"
import { Known } from "../config/Files.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import type * as Sources from "../config/Sources.ts"
import { Quotas } from "../limits/Quotas.ts"
import { RateShares } from "../limits/RateShares.ts"
import { SharedCounters } from "../limits/SharedCounters.ts"
import { Pseudonym } from "../protocols/http/Pseudonym.ts"
import * as Composition from "../server/Composition.ts"
import { ListenBackend } from "../server/ListenBackend.ts"
import * as Reload from "../server/Reload.ts"
import { Server } from "../server/Server.ts"
import * as Systemd from "../server/Systemd.ts"
import { Sessions } from "../session/Sessions.ts"
import * as IpcChannel from "../workers/IpcChannel.ts"
import * as Messages from "../workers/Messages.ts"
import * as SessionQuery from "../workers/SessionQuery.ts"
import * as WorkerCounters from "../workers/WorkerCounters.ts"
import * as Settings from "./Settings.ts"
import * as Setup from "./Setup.ts"

/** Serves by the settings that the primary has read, until it says that it is time to stop. */
export const run = Effect.fnUntraced(function* (given: Sources.Given) {
  const link = yield* IpcChannel.open
  const { texts, reusePort, passed, count } = link.welcome
  const platform = Layer.succeedContext(yield* Effect.context<FileSystem.FileSystem>())
  const read = (texts: Messages.Texts) => Effect.provideService(Settings.read(given), Known, new Map(texts))

  const counted = WorkerCounters.make(link)
  link.onOther(counted.receive)
  const services = Layer.provide(Composition.services(), Layer.succeed(RememberedLogins, counted.remembered))

  /** Answers a reload; without a number, of the start. */
  const report = (reload?: number) =>
    Effect.map(Server, ({ listeners, asksPassword }) =>
      link.send({ _tag: "serving", reload, addresses: listeners.map(ListenAddress.format), asksPassword })
    )
  const refuse = (error: Error, reload?: number) =>
    link.send({ _tag: "refused", reload, error: Messages.write(error) })
  const follow = Effect.forever(
    Effect.flatMap(link.reload, ({ id, texts }) => {
      const next = Effect.map(read(texts), (read) =>
        Layer.provideMerge(services, Setup.settings(read, passed))
      )
      return Reload.once(Layer.provide(Layer.unwrap(next), platform)).pipe(
        Effect.tap(() => Effect.sync(counted.declare)),
        Effect.andThen(report(id)),
        Effect.catch((error) => Effect.sync(() => refuse(error, id)))
      )
    })
  )

  const sockets = Layer.succeed(ListenBackend, {
    reusePort,
    // The primary has made way, and it is the one that binds.
    clear: () => Effect.void,
    withMode: (_, bind) => bind(),
    passed: (name) => Systemd.named(passed, name),
    lost: link.lost
  })
  const counting = Layer.merge(
    Layer.succeed(SharedCounters, () => counted),
    Layer.succeed(RateShares, counted.shares)
  )
  const sweeping = Effect.schedule(Effect.sync(counted.sweep), Schedule.spaced("1 second"))
  // Let go of when the server has it.
  let first: Settings.Read | undefined = yield* read(texts)
  const outline = Setup.outline(first)
  const open = Effect.suspend(() => {
    const settings = Setup.settings(first!, passed)
    first = undefined
    return Reload.once(Layer.provideMerge(services, settings))
  })
  const server = Server.layerOf({
    pseudonym: Layer.succeed(Pseudonym, link.welcome.pseudonym),
    quotas: Quotas.layerOf(counted.usage),
    bans: Bans.layerOf(counted.guesses, 1 / count)
  }).pipe(Layer.provide(Composition.closed), Layer.provideMerge(Setup.settings(outline, passed)))
  const answering = Effect.gen(function* () {
    const id = yield* link.list
    const { list } = yield* Sessions
    const { census } = yield* Server
    link.send({ _tag: "listed", id, sessions: (yield* list).map(SessionQuery.listed), census: yield* census })
  })
  const serving = Layer.effectDiscard(
    Effect.gen(function* () {
      yield* open
      yield* report()
      for (const each of [follow, Effect.forever(answering), sweeping]) yield* Effect.forkScoped(each)
    })
  )
  return yield* Layer.launch(
    Layer.provide(serving, Layer.provide(server, Layer.merge(sockets, counting)))
  ).pipe(
    Effect.provide(Setup.logging(outline, true)),
    Effect.catch((error) =>
      Effect.andThen(
        Effect.sync(() => refuse(error)),
        Effect.never
      )
    ),
    Effect.raceFirst(link.stop),
    // What the last sessions have moved is counted, too.
    Effect.ensuring(Effect.andThen(Effect.sync(counted.sweep), link.flush))
  )
})
