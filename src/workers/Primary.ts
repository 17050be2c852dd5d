/**
 * A server whose connections are served by other processes: the workers. This
 * one serves none itself. It reads the settings, keeps as many workers as there
 * should be, and is what the operator and the system know as the server.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { Bans } from "../bans/Bans.ts"
import * as BansFile from "../bans/BansFile.ts"
import * as KnownFile from "../bans/KnownFile.ts"
import * as LoginGuard from "../bans/LoginGuard.ts"
import * as Hmac from "../base/Hmac.ts"
import { Config, type Values } from "../config/Config.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { StateFailed } from "../Errors.ts"
import * as Quotas from "../limits/Quotas.ts"
import { Policy } from "../policy/Policy.ts"
import * as Composition from "../server/Composition.ts"
import * as Generation from "../server/Generation.ts"
import { addressesOf } from "../server/InForce.ts"
import { type Refusal, Server } from "../server/Server.ts"
import * as Systemd from "../server/Systemd.ts"
import * as Coordinator from "./Coordinator.ts"
import * as Heartbeat from "./Heartbeat.ts"
import * as ListenPreflight from "./ListenPreflight.ts"
import * as Messages from "./Messages.ts"
import * as PendingReloads from "./PendingReloads.ts"
import * as Pool from "./Pool.ts"
import * as SessionQuery from "./SessionQuery.ts"

export interface Options {
  /** How many workers there are. */
  readonly count: number
  /** What the settings of now were read from. */
  readonly texts: () => ReadonlyMap<string, string>
}

/**
 * What settings are made into here, so that what is wrong is found before a worker is told. Nobody comes in here,
 * so that the rules are for workers to make ready.
 */
export const services = Composition.services({ policy: Policy.denyAll })

/** `Server` as others see it, with workers behind it. They begin with the first reload. */
export const layer = (options: Options): Layer.Layer<Server | Bans, Refusal | StateFailed, Config> =>
  Layer.suspend(() => {
    const listeners = new Set<(news: LoginGuard.News) => void>()
    const guesses = LoginGuard.make(Hmac.hashes, (news) => {
      for (const tell of listeners) tell(news)
    })
    return Layer.effect(Server, make({ ...options, guesses, listeners })).pipe(
      Layer.provideMerge(
        Layer.provideMerge(Layer.merge(BansFile.layer, KnownFile.layer), Bans.layerOf(guesses, 1))
      )
    )
  })

interface Parts extends Options {
  readonly guesses: LoginGuard.Copy
  readonly listeners: Set<(news: LoginGuard.News) => void>
}

const make = Effect.fnUntraced(function* ({
  count,
  texts,
  guesses,
  listeners
}: Parts): Effect.fn.Return<Server["Service"], Refusal | StateFailed, Config | Scope.Scope> {
  /** What the primary itself goes by. */
  let config = yield* Config
  const canReuse = yield* ListenPreflight.canReuse
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const office = Coordinator.make<Pool.Member>({
    guesses,
    usage: yield* Quotas.usage,
    config: () => config,
    run: fork
  })
  listeners.add(office.tell)
  yield* Effect.forkScoped(Effect.schedule(Effect.sync(office.sweep), Schedule.spaced("1 second")))

  /** What the workers go by. */
  let inForce: Messages.Texts = []
  let open: Messages.Open = { addresses: [], asksPassword: false }
  /** Those that serve, and by which texts. */
  const serving = new Map<Pool.Member, Messages.Texts>()
  const changes = PendingReloads.make<Pool.Member>()
  const heartbeat = Heartbeat.make<Pool.Member>(Heartbeat.isStopped)
  let isStarted = false
  const started = Deferred.makeUnsafe<void, Refusal | Messages.WorkerFault>()

  /** One that cannot do as the others do makes way for one that does from the start. */
  const follow = (member: Pool.Member) =>
    Effect.catch(changes.ask(member, inForce), (problem) =>
      Effect.gen(function* () {
        if (problem === "gone") return
        yield* Effect.logError("a worker is replaced: it could not be reloaded", {
          pid: member.pid,
          reason: problem.message
        })
        serving.delete(member)
        member.retire()
      })
    )

  /** Of the first ones, the line that says where they listen tells enough. */
  const announce = ({ pid }: Pool.Member) =>
    isStarted ? Effect.logInfo("a worker serves", { pid }) : Effect.logDebug("a worker serves", { pid })

  const enter = (member: Pool.Member, at: Messages.Open, known: Messages.Texts) => {
    open = { addresses: at.addresses, asksPassword: at.asksPassword }
    serving.set(member, known)
    if (serving.size === count) Deferred.doneUnsafe(started, Exit.void)
    // The settings changed while it started, and nobody has told it.
    if (known !== inForce && !changes.isAsked(member)) fork(follow(member))
  }

  const roll = SessionQuery.make<Pool.Member>()
  const census = Effect.gen(function* () {
    const answers = yield* roll.call(serving.keys())
    const sum = (of: "sessions" | "associations" | "handshakes" | "descriptors") =>
      answers.reduce((sum, [, answer]) => sum + (answer?.census[of] ?? 0), 0)
    return {
      sessions: sum("sessions"),
      associations: sum("associations"),
      handshakes: sum("handshakes"),
      descriptors: sum("descriptors"),
      workers: answers.map(([{ pid }, answer]) => ({ pid, ...answer?.census }))
    }
  })

  /** What each was welcomed with. */
  const welcomed = new WeakMap<Pool.Member, Messages.Texts>()
  const receive = (member: Pool.Member, message: Messages.ToPrimary) => {
    switch (message._tag) {
      case "hello":
        welcomed.set(member, inForce)
        heartbeat.add(member)
        return member.send({
          _tag: "welcome",
          texts: inForce,
          reusePort: canReuse,
          passed: Systemd.passed(undefined),
          count,
          ...office.enter(member)
        })
      case "pong":
        return heartbeat.receive(member)
      case "listed":
        return roll.receive(message)
      case "serving": {
        const changed = changes.answer(member, Exit.void)
        if (changed === undefined) fork(announce(member))
        return enter(member, message, changed ?? welcomed.get(member) ?? [])
      }
      case "refused": {
        const error = Messages.read(message.error)
        if (changes.answer(member, Exit.fail(error))) return
        if (isStarted) return member.fail(message.error.message)
        return Deferred.doneUnsafe(started, Effect.fail(error))
      }
      default:
        return office.receive(member, message)
    }
  }

  const pool = yield* Pool.make(count, {
    onMessage: (member, message) => void receive(member, message),
    onEnd: (member) => {
      serving.delete(member)
      heartbeat.remove(member)
      office.remove(member)
      changes.remove(member)
    },
    patience: () => Duration.sum(config.drainTimeout, grace)
  })
  const scope = yield* Effect.scope
  const begin = Effect.fnUntraced(function* (next: Values): Effect.fn.Return<void, Refusal> {
    yield* ListenPreflight.prepare(next, [], canReuse)
    inForce = [...texts()]
    config = kept(next)
    pool.start()
    yield* Effect.raceFirst(Effect.catchTag(Deferred.await(started), "WorkerFault", Effect.die), pool.broken)
    pool.settled()
    isStarted = true
    yield* Effect.forkIn(Effect.schedule(beat, Schedule.spaced(Heartbeat.interval)), scope)
  })
  const beat = Effect.suspend(() =>
    Effect.forEach(
      heartbeat.beat(),
      ({ pid }) => Effect.logError("a worker is killed: it does not answer", { pid }),
      { discard: true }
    )
  )

  /** Comes when a worker has not answered for so long that nobody need wait for it. */
  const lateness = (member: Pool.Member) =>
    Effect.sync(() => heartbeat.isLate(member)).pipe(
      Effect.repeat({ until: (isLate) => isLate, schedule: Schedule.spaced(Heartbeat.interval) }),
      Effect.asVoid
    )

  /** Tells one after the other until one has an answer: yes, or why not. */
  const lead = Effect.fnUntraced(function* (
    next: Messages.Texts
  ): Effect.fn.Return<Pool.Member | undefined, Refusal> {
    // At first those that answered last. The very last is waited for in any case.
    const members = [...serving.keys()].sort((one, other) => heartbeat.missed(one) - heartbeat.missed(other))
    for (const member of members) {
      const asking = Fiber.await(fork(changes.ask(member, next)))
      const exit = yield* member === members.at(-1) ? asking : Effect.raceFirst(asking, lateness(member))
      if (exit === undefined) continue
      if (Exit.isSuccess(exit)) return member
      const problem = Option.getOrThrow(Exit.findErrorOption(exit))
      if (problem === "gone") continue
      return yield* problem._tag === "WorkerFault" ? Effect.die(problem) : Effect.fail(problem)
    }
    return undefined
  })

  /** Has a worker follow, and waits for that unless it is late. */
  const followed = (member: Pool.Member) =>
    Effect.suspend(() => Effect.raceFirst(Fiber.join(fork(follow(member))), lateness(member)))

  const succeed = Effect.fnUntraced(function* (next: Values): Effect.fn.Return<void, Refusal> {
    const upcoming: Messages.Texts = [...texts()]
    yield* ListenPreflight.prepare(next, config.listen, canReuse)
    // What fails with one changes nothing with the others.
    const first = yield* lead(upcoming)
    inForce = upcoming
    config = kept(next)
    const others = [...serving.keys()].filter((member) => member !== first)
    yield* Effect.forEach(others, followed, { concurrency: "unbounded", discard: true })
  })

  return {
    get listeners() {
      return listenersOf(open)
    },
    get addresses() {
      return addressesOf(listenersOf(open))
    },
    get asksPassword() {
      return open.asksPassword
    },
    census,
    reload: (services, release = () => {}) => {
      const change = Effect.gen(function* () {
        const { config: next } = yield* Generation.make(services, () => {})
        yield* isStarted ? succeed(next) : begin(next)
        release()
      })
      return isStarted ? Effect.uninterruptible(change) : change
    }
  }
})

/** Without what only workers go by, and there may be very many of. */
const kept = (values: Values): Values => ({ ...values, rules: [], user: [], users: [] })

/** How long a worker may take to stop when its sessions have had their time. */
const grace = Duration.seconds(5)

const listenersOf = ({ addresses }: Messages.Open): ReadonlyArray<ListenAddress.ListenAddress> =>
  addresses.flatMap((text) => Option.toArray(ListenAddress.fromString(text)))
