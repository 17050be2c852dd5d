/**
 * The store of a fleet in Redis or Valkey, on one connection for calls and messages alike.
 *
 * Each connection has a client of its own, without the client's own queue and its own reconnecting: a call must fail
 * while there is no connection, not run some time later.
 */
import { createHash } from "node:crypto"
import { createClient, type RedisClientOptions } from "@redis/client"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { FleetStoreFailed } from "../Errors.ts"
import { type Answer, FleetStore } from "./FleetStore.ts"
import type { FleetUrl } from "./FleetUrl.ts"
import type { Script } from "./Script.ts"

/** Milliseconds in which the store has to answer a call, and to accept a connection. */
const patience = 1000
const connectPatience = 3000

/** The most calls that wait for their replies. */
const most = 10_000

/** Milliseconds between attempts to connect: they double, from the first to the last, with some chance. */
const firstDelay = 50
const lastDelay = 2000

/** Connects, and fails if that takes longer than 5 seconds. From then on it connects again by itself. */
export const layer = (url: FleetUrl): Layer.Layer<FleetStore, FleetStoreFailed> =>
  Layer.effect(
    FleetStore,
    Effect.suspend(() => make(url))
  )

type Client = ReturnType<typeof clientOf>

/** A call without a reply. */
interface Pending {
  /** Since when the reply is waited for. */
  sentAt: number
  readonly answer: Answer<never>
}

const make = Effect.fnUntraced(function* (
  url: FleetUrl
): Effect.fn.Return<FleetStore["Service"], FleetStoreFailed, Scope.Scope> {
  const links = new Links(url, Effect.runForkWith(yield* Effect.context<never>()))
  const first = Deferred.makeUnsafe<void>()
  let delay = firstDelay
  const connecting = Effect.gen(function* () {
    yield* Effect.scoped(
      Effect.gen(function* () {
        const broken = yield* links.open
        delay = firstDelay
        Deferred.doneUnsafe(first, Effect.void)
        yield* Deferred.await(broken)
      })
    ).pipe(Effect.catch(({ reason }) => Effect.sync(() => links.failed(reason))))
    yield* Effect.sleep(delay * (0.5 + Math.random() / 2))
    delay = Math.min(2 * delay, lastDelay)
  })
  yield* Effect.forkScoped(Effect.forever(connecting))
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.andThen(
        Effect.sleep(patience / 4),
        Effect.sync(() => links.check())
      )
    )
  )
  yield* Deferred.await(first).pipe(
    Effect.timeoutOrElse({
      duration: "5 seconds",
      orElse: () => Effect.suspend(() => Effect.fail(links.failure(links.reason)))
    })
  )
  return links
})

/** The connections to a store, one at a time. */
class Links {
  readonly name: string
  /** Why there was no connection last. */
  reason = "no answer"
  private readonly url: FleetUrl
  private readonly fork: (effect: Effect.Effect<void>) => void
  private client: Client | undefined
  private breakOff: () => void = () => {}
  /** Scripts that the store has on this connection. */
  private loaded = new Set<Script<unknown>>()
  private readonly digests = new Map<Script<unknown>, string>()
  /** In the order in which the calls were sent. */
  private readonly pending = new Set<Pending>()
  private lastReplyAt = 0
  private checkedAt = 0
  private isSilent = false
  private readonly channels = new Map<string, Set<(message: string) => void>>()
  private readonly listeners = new Set<(run: string) => void>()

  constructor(url: FleetUrl, fork: (effect: Effect.Effect<void>) => void) {
    this.name = url.shown
    this.url = url
    this.fork = fork
  }

  isConnected = (): boolean => this.client !== undefined

  call = <Reply>(
    script: Script<Reply>,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<string | number>,
    answer: Answer<Reply>
  ): void => {
    const { client } = this
    if (client === undefined || this.pending.size >= most) {
      const failure = this.failure(
        client === undefined ? this.reason : "too many calls wait for their replies"
      )
      queueMicrotask(() => answer(failure))
      return
    }
    const pending = { sentAt: performance.now(), answer }
    this.pending.add(pending)
    const isLoaded = this.loaded.has(script)
    this.loaded.add(script)
    const command = isLoaded ? ["EVALSHA", this.digestOf(script)] : ["EVAL", script.lua]
    client
      .sendCommand<unknown>([...command, String(keys.length), ...keys, ...args.map(String)], { timeout: 0 })
      .then(
        (reply) => {
          this.lastReplyAt = performance.now()
          if (this.pending.delete(pending)) answer(reply as Reply)
        },
        ({ message }: Error) => {
          if (/^NOSCRIPT/.test(message)) this.loaded.delete(script)
          if (this.pending.delete(pending)) answer(this.failure(message))
        }
      )
  }

  publish = (channel: string, message: string): void => {
    this.client?.sendCommand(["PUBLISH", channel, message]).catch(() => {})
  }

  subscribe = (
    channel: string,
    receive: (message: string) => void
  ): Effect.Effect<void, FleetStoreFailed, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const known = this.channels.get(channel)
        this.channels.set(channel, (known ?? new Set()).add(receive))
        const { client } = this
        return known !== undefined || client === undefined ? Effect.void : this.listen(client, channel)
      }),
      () => Effect.sync(() => void this.channels.get(channel)?.delete(receive))
    )

  onConnect = (connected: (run: string) => void): Effect.Effect<void, never, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.sync(() => {
        this.listeners.add(connected)
        if (this.run !== undefined) connected(this.run)
      }),
      () => Effect.sync(() => void this.listeners.delete(connected))
    )

  failure(reason: string): FleetStoreFailed {
    return new FleetStoreFailed({ store: this.name, reason })
  }

  /** Takes note of why there is no connection. */
  failed(reason: string): void {
    this.reason = reason
    if (this.isSilent) return
    this.isSilent = true
    this.fork(Effect.logWarning("the fleet's store does not answer", { store: this.name, reason }))
  }

  /** Connects until the scope closes, and completes with what tells the end of the connection. */
  readonly open = Effect.suspend(() => {
    const broken = Deferred.makeUnsafe<void, FleetStoreFailed>()
    const breakOff = (reason: string) => void Deferred.doneUnsafe(broken, Effect.fail(this.failure(reason)))
    return Effect.gen({ self: this }, function* () {
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => clientOf(this.url)),
        (client) => Effect.sync(() => this.close(client))
      )
      client.on("error", ({ message }: Error) => breakOff(message))
      client.on("end", () => breakOff("the connection was closed"))
      yield* this.tried(() => client.connect())
      for (const channel of this.channels.keys()) yield* this.listen(client, channel)
      const info = yield* this.tried(() => client.sendCommand<string>(["INFO", "server"]))
      this.run = /^run_id:(\w+)/m.exec(info)?.[1] ?? "unknown"
      this.loaded = new Set()
      this.lastReplyAt = performance.now()
      this.breakOff = () => breakOff("no reply")
      this.client = client
      if (this.isSilent) yield* Effect.logInfo("the fleet's store answers again", { store: this.name })
      this.isSilent = false
      for (const connected of this.listeners) connected(this.run)
      return broken
    })
  })

  /** Fails the calls that have waited too long, and ends a connection on which nothing comes. To be called often. */
  check(): void {
    const now = performance.now()
    const isLate = now - this.checkedAt > patience / 2
    this.checkedAt = now
    // This process stood still, and has not read what came meanwhile.
    if (isLate) {
      this.lastReplyAt = now
      for (const pending of this.pending) pending.sentAt = now
      return
    }
    for (const pending of this.pending) {
      if (now - pending.sentAt < patience) return
      this.pending.delete(pending)
      pending.answer(this.failure("no reply"))
      if (now - this.lastReplyAt > patience) this.breakOff()
    }
  }

  /** The run of the store's server. */
  private run: string | undefined

  private close(client: Client): void {
    if (this.client === client) {
      this.client = undefined
      this.run = undefined
    }
    if (client.isOpen) client.destroy()
    for (const { answer } of [...this.pending]) answer(this.failure("the connection was closed"))
    this.pending.clear()
  }

  private listen(client: Client, channel: string): Effect.Effect<void, FleetStoreFailed> {
    return Effect.asVoid(
      this.tried(() =>
        client.subscribe(channel, (message) => {
          this.lastReplyAt = performance.now()
          for (const receive of this.channels.get(channel) ?? []) receive(message)
        })
      )
    )
  }

  private tried<A>(attempt: () => Promise<A>): Effect.Effect<A, FleetStoreFailed> {
    return Effect.tryPromise({
      try: attempt,
      catch: (cause) => this.failure(reasonOf(cause as Error))
    }).pipe(
      Effect.timeoutOrElse({
        duration: connectPatience,
        orElse: () => Effect.fail(this.failure("no answer"))
      })
    )
  }

  private digestOf(script: Script<unknown>): string {
    const known = this.digests.get(script)
    if (known !== undefined) return known
    const digest = createHash("sha1").update(script.lua).digest("hex")
    this.digests.set(script, digest)
    return digest
  }
}

const clientOf = ({ place, isEncrypted, username, password, database }: FleetUrl) => {
  const common = { connectTimeout: connectPatience, reconnectStrategy: false as const }
  const options: RedisClientOptions = {
    socket:
      "path" in place
        ? { ...common, path: place.path, tls: false }
        : isEncrypted
          ? { ...common, ...place, servername: place.host, tls: true }
          : { ...common, ...place },
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    database,
    name: "effect-socks",
    RESP: 3,
    disableOfflineQueue: true,
    commandsQueueMaxLength: most,
    maintNotifications: "disabled"
  }
  return createClient(options)
}

/** What is told of an error: the client's messages have no password in them. */
const reasonOf = (error: Error & { readonly errors?: ReadonlyArray<Error> }): string =>
  error.message || error.errors?.[0]?.message || "no answer"
