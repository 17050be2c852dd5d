/**
 * The connections to a Redis or Valkey, one at a time, and what is subscribed to on all of them.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { FleetStoreFailed } from "../Errors.ts"
import * as TlsClient from "../network/TlsClient.ts"
import { printable } from "../wire/Text.ts"
import type { Answer } from "./FleetStore.ts"
import type { FleetUrl } from "./FleetUrl.ts"
import { RedisCalls } from "./RedisCalls.ts"
import * as RedisClient from "./RedisClient.ts"
import type { Script } from "./Script.ts"
import * as StoreInfo from "./StoreInfo.ts"

export class RedisLinks {
  readonly name: string
  /** Why there was no connection last. */
  reason = "no answer"
  /** Whether a server has answered that cannot be used. */
  isRefused = false
  readonly calls = new RedisCalls(
    (reason) => this.failure(reason),
    (reason) => this.breakOff(reason)
  )
  private readonly url: FleetUrl
  private readonly fork: (effect: Effect.Effect<void>) => void
  private client: RedisClient.RedisClient | undefined
  private breakOff: (reason: string) => void = () => {}
  /** The run of the store's server. */
  private run: string | undefined
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
    if (this.client === undefined) this.calls.fail(answer, this.reason)
    else this.calls.run(this.client, script, keys, args, answer)
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
      // Anew for each connection, as certificates are renewed.
      const secureContext = this.url.isEncrypted ? yield* this.secureContext : undefined
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => RedisClient.make(this.url, secureContext)),
        (client) => Effect.sync(() => this.close(client))
      )
      client.on("error", (error: Error) => breakOff(RedisClient.reasonOf(error)))
      client.on("end", () => breakOff("the connection was closed"))
      yield* this.tried(() => client.connect())
      const told = (...command: ReadonlyArray<string>) =>
        this.tried(() => client.sendCommand<string>(command))
      const { run, isInCluster, warning, ...info } = StoreInfo.read(yield* told("INFO"))
      const unfit =
        info.unfit ?? (isInCluster ? StoreInfo.unfitCluster(yield* told("CLUSTER", "INFO")) : undefined)
      if (unfit !== undefined) return yield* this.refuse(unfit)
      if (warning !== undefined) yield* Effect.logWarning(warning, { store: this.name })
      for (const channel of this.channels.keys()) yield* this.listen(client, channel)
      this.run = run
      this.calls.begin()
      this.breakOff = breakOff
      this.client = client
      if (this.isSilent) yield* Effect.logInfo("the fleet's store answers again", { store: this.name })
      this.isSilent = false
      for (const connected of this.listeners) connected(this.run)
      return broken
    })
  })

  private readonly secureContext = Effect.suspend(() =>
    Effect.catch(TlsClient.context(this.url.files), ({ file, expected }) =>
      this.refuse(`"${printable(file)}" is not ${expected}`)
    )
  )

  private refuse(reason: string): Effect.Effect<never, FleetStoreFailed> {
    return Effect.suspend(() => {
      this.isRefused = true
      return Effect.fail(this.failure(reason))
    })
  }

  private close(client: RedisClient.RedisClient): void {
    if (this.client === client) {
      this.client = undefined
      this.run = undefined
    }
    if (client.isOpen) client.destroy()
    this.calls.end()
  }

  private listen(client: RedisClient.RedisClient, channel: string): Effect.Effect<void, FleetStoreFailed> {
    return Effect.asVoid(
      this.tried(() =>
        client.subscribe(channel, (message) => {
          this.calls.heard()
          for (const receive of this.channels.get(channel) ?? []) this.hear(receive, channel, message)
        })
      )
    )
  }

  /** Passes a message on. One that cannot be read is of nobody that belongs to the fleet, and ends nothing. */
  private hear(receive: (message: string) => void, channel: string, message: string): void {
    try {
      receive(message)
    } catch (error) {
      this.fork(
        Effect.logWarning("a message in the fleet's store cannot be read", { channel, reason: String(error) })
      )
    }
  }

  private tried<A>(attempt: () => Promise<A>): Effect.Effect<A, FleetStoreFailed> {
    return Effect.tryPromise({
      try: attempt,
      catch: (cause) => {
        this.isRefused = RedisClient.isRefusal(cause as Error)
        return this.failure(RedisClient.reasonOf(cause as Error))
      }
    }).pipe(
      Effect.timeoutOrElse({
        duration: RedisClient.connectPatience,
        orElse: () => Effect.fail(this.failure("no answer"))
      })
    )
  }
}
