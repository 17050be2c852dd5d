/**
 * The primary: a server whose connections are served by other processes, the workers.
 * The primary serves no connection. It reads the settings, keeps the number of
 * workers, and is the process that the operator and the system know as the server.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Bans } from "../bans/Bans.ts"
import * as BansFile from "../bans/BansFile.ts"
import * as KnownFile from "../bans/KnownFile.ts"
import * as Requests from "../base/Requests.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { FleetStoreFailed, StateFailed } from "../Errors.ts"
import { CoordinatorSeat } from "../limits/CoordinatorSeat.ts"
import type * as Quotas from "../limits/Quotas.ts"
import { CurrentTransport } from "../network/Transports.ts"
import { Policy } from "../policy/Policy.ts"
import * as Composition from "../server/Composition.ts"
import * as Config from "../server/Config.ts"
import { addressesOf } from "../server/CurrentGeneration.ts"
import * as Generation from "../server/Generation.ts"
import { type Refusal, RunningServer } from "../server/RunningServer.ts"
import * as EventSources from "../session/EventSources.ts"
import { Events } from "../session/Events.ts"
import type { UsageRecords } from "../usage/UsageRecords.ts"
import * as EventInterest from "./EventInterest.ts"
import * as Heartbeat from "./Heartbeat.ts"
import * as ListenPreflight from "./ListenPreflight.ts"
import * as MessageRouter from "./MessageRouter.ts"
import type * as Messages from "./Messages.ts"
import * as Pool from "./Pool.ts"
import * as Reloads from "./Reloads.ts"
import * as SessionQuery from "./SessionQuery.ts"
import * as Start from "./Start.ts"
import * as UserChanges from "./UserChanges.ts"
import * as WorkerMetrics from "./WorkerMetrics.ts"

interface Options {
  /** Number of workers. */
  readonly count: number
  /** The seat of the workers: one that counts for them alone, by default. */
  readonly seat?:
    | Layer.Layer<CoordinatorSeat | Bans | UsageRecords, FleetStoreFailed | StateFailed, Quotas.Sections>
    | undefined
  /** The texts that the current settings were read from. */
  readonly texts: () => Messages.Texts
}

/**
 * The services that the primary makes from settings, to find errors before a worker is told of them. The primary
 * serves no client, so it does not compile the rules.
 */
export const services = Composition.services({ policy: Policy.layerDenyAll })

/** A `RunningServer` whose sessions are in workers. The workers start with the first reload. */
export const layer = (
  options: Options
): Layer.Layer<
  RunningServer | Bans | Events | UsageRecords | WorkerMetrics.WorkerMetrics,
  FleetStoreFailed | Refusal | StateFailed,
  Config.Sections
> =>
  Layer.effectContext(make(options)).pipe(
    Layer.provideMerge(
      Layer.provideMerge(
        Layer.merge(BansFile.layer, KnownFile.layer),
        options.seat ?? CoordinatorSeat.layer(options.count)
      )
    ),
    Layer.provide(EventSources.bans),
    Layer.provideMerge(Events.layer)
  )

const make = Effect.fnUntraced(function* ({
  count,
  texts
}: Options): Effect.fn.Return<
  Context.Context<RunningServer | WorkerMetrics.WorkerMetrics>,
  Refusal,
  Config.Sections | CoordinatorSeat | Events | Scope.Scope
> {
  /** The settings of the primary itself. */
  let config = withoutRulesAndUsers(yield* Config.values)
  let selfSigned: string | undefined
  // Node 20 cannot share a port in this way, but descriptors can.
  const { name } = yield* CurrentTransport
  const canReuse = name === "descriptors" || (yield* ListenPreflight.canReuse)
  const seat = yield* CoordinatorSeat
  const heartbeat = Heartbeat.make<Pool.Member>(Heartbeat.isStopped)
  const reloads = yield* Reloads.make(heartbeat)
  const lists = SessionQuery.make<Pool.Member>("1 second")
  const ends = Requests.make<Pool.Member, boolean>("1 second")
  const interest = yield* EventInterest.make<Pool.Member>()
  const metrics = WorkerMetrics.make<Pool.Member>()
  const users = UserChanges.make<Pool.Member>()
  const start = Start.make(() => reloads.serving.size === count)

  const pool = yield* Pool.make(count, {
    ...(yield* MessageRouter.make({
      canReuse,
      seat,
      heartbeat,
      reloads,
      lists,
      ends,
      interest,
      metrics,
      users,
      start
    })),
    patience: () => Duration.sum(config.drainTimeout, grace)
  })
  const scope = yield* Effect.scope

  const useSettings = (next: Config.Values) => {
    config = withoutRulesAndUsers(next)
    seat.configure(config)
  }

  const startWorkers = Effect.fnUntraced(function* (next: Config.Values): Effect.fn.Return<void, Refusal> {
    yield* ListenPreflight.prepare(next, [], canReuse)
    reloads.setTexts(texts())
    useSettings(next)
    pool.start()
    yield* Effect.raceFirst(start.done, pool.broken)
    pool.replaceEndedWorkers()
    start.finish()
    yield* Effect.forkIn(Effect.schedule(beat(heartbeat), Schedule.spaced(Heartbeat.interval)), scope)
  })

  const reloadWorkers = Effect.fnUntraced(function* (next: Config.Values): Effect.fn.Return<void, Refusal> {
    const upcoming = texts()
    yield* ListenPreflight.prepare(next, config.listen, canReuse)
    const leader = yield* reloads.lead(upcoming)
    useSettings(next)
    yield* reloads.follow(leader)
  })

  const server: RunningServer["Service"] = {
    get listeners() {
      return listenersOf(start.open)
    },
    get addresses() {
      return addressesOf(listenersOf(start.open))
    },
    get asksPassword() {
      return start.open.asksPassword
    },
    get selfSigned() {
      return selfSigned
    },
    get settings() {
      return config
    },
    census: Effect.suspend(() => SessionQuery.census(reloads.serving.keys(), lists)),
    sessions: Effect.suspend(() => SessionQuery.sessions(reloads.serving.keys(), lists)),
    upstreams: Effect.suspend(() => SessionQuery.upstreams(reloads.serving.keys(), lists)),
    endSession: (id, reason = "ended by operator") =>
      Effect.suspend(() => SessionQuery.end(reloads.serving.keys(), ends, id, reason)),
    usersChanged: users.tell,
    reload: (services, release = () => {}) => {
      const next = Effect.gen(function* () {
        const generation = yield* Generation.make(services, () => {})
        const config = yield* Effect.provide(Config.values, services)
        yield* start.isFinished ? reloadWorkers(config) : startWorkers(config)
        selfSigned = generation.selfSigned
        release()
      })
      return start.isFinished ? Effect.uninterruptible(next) : next
    }
  }
  return Context.make(RunningServer, server).pipe(
    Context.add(WorkerMetrics.WorkerMetrics, { gather: metrics.gather })
  )
})

/** One beat of the heartbeat. */
const beat = (heartbeat: Heartbeat.Heartbeat<Pool.Member>) =>
  Effect.suspend(() =>
    Effect.forEach(
      heartbeat.beat(),
      ({ pid }) => Effect.logError("a worker is killed: it does not answer", { pid }),
      { discard: true }
    )
  )

/** The settings without rules and users, which only workers use and which may be very many. */
const withoutRulesAndUsers = (values: Config.Values): Config.Values => ({
  ...values,
  rules: [],
  user: [],
  users: []
})

/** The time that a worker may take to stop after the drain timeout. */
const grace = Duration.seconds(5)

const listenersOf = ({ addresses }: Messages.Open): ReadonlyArray<ListenAddress.ListenAddress> =>
  addresses.flatMap((text) => Option.toArray(ListenAddress.fromString(text)))
