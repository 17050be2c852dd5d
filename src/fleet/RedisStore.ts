/**
 * The store of a fleet in Redis or Valkey, on one connection for calls and messages alike.
 *
 * Each connection has a client of its own, without the client's own queue and its own reconnecting: a call must fail
 * while there is no connection, not run some time later.
 */
import { createHash } from "node:crypto"
import { createClient, ErrorReply, type RedisClientOptions } from "@redis/client"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { FleetStoreFailed } from "../Errors.ts"
import * as TlsClient from "../network/TlsClient.ts"
import { printable } from "../wire/Text.ts"
import { type Answer, FleetStore } from "./FleetStore.ts"
import type { FleetUrl } from "./FleetUrl.ts"
import type { Script } from "./Script.ts"
import * as StoreInfo from "./StoreInfo.ts"

/** Milliseconds in which the store has to answer a call, and to accept a connection. */
const patience = 1000
const connectPatience = 3000

/** The most calls that wait for their replies. */
const most = 10_000

/** Milliseconds between attempts to connect: they double, from the first to the last, with some chance. */
const firstDelay = 50
const lastDelay = 2000

/**
 * Connects, and fails for a server that cannot be used, and, unless the store `mayBeAway`, if none answers within 5 seconds.
 * From then on it connects again by itself.
 */
export const layer = (url: FleetUrl, mayBeAway = false): Layer.Layer<FleetStore, FleetStoreFailed> =>
  Layer.effect(
    FleetStore,
    Effect.suspend(() => make(url, mayBeAway))
  )

type Client = ReturnType<typeof clientOf>

/** A call without a reply. */
interface Pending {
  /** Since when the reply is waited for. */
  sentAt: number
  readonly answer: Answer<never>
}

const make = Effect.fnUntraced(function* (
  url: FleetUrl,
  mayBeAway: boolean
): Effect.fn.Return<FleetStore["Service"], FleetStoreFailed, Scope.Scope> {
  const links = new Links(url, Effect.runForkWith(yield* Effect.context<never>()))
  const first = Deferred.makeUnsafe<void, FleetStoreFailed>()
  let delay = firstDelay
  const connecting = Effect.gen(function* () {
    yield* Effect.scoped(
      Effect.gen(function* () {
        const broken = yield* links.open
        delay = firstDelay
        Deferred.doneUnsafe(first, Effect.void)
        yield* Deferred.await(broken)
      })
    ).pipe(
      Effect.catch((failure) =>
        Effect.sync(() => {
          links.failed(failure.reason)
          if (links.isRefused) Deferred.doneUnsafe(first, Effect.fail(failure))
        })
      )
    )
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
      orElse: () => Effect.suspend(() => (mayBeAway ? Effect.void : Effect.fail(links.failure(links.reason))))
    })
  )
  return links
})

/** The connections to a store, one at a time. */
class Links {
  readonly name: string
  /** Why there was no connection last. */
  reason = "no answer"
  /** Whether a server has answered that cannot be used. */
  isRefused = false
  private readonly url: FleetUrl
  private readonly fork: (effect: Effect.Effect<void>) => void
  private client: Client | undefined
  private breakOff: (reason: string) => void = () => {}
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
          if (!this.pending.delete(pending)) return
          if (script.isReply(reply)) answer(reply as Reply)
          else answer(this.failure(`${script.name} was answered with something else`))
        },
        ({ message }: Error) => {
          if (/^NOSCRIPT/.test(message)) this.loaded.delete(script)
          if (this.pending.delete(pending)) answer(this.failure(message))
          // Another server has taken over: the address may lead to that one now.
          if (/^(READONLY|MOVED|CLUSTERDOWN)/.test(message)) this.breakOff(message)
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
      // Anew for each connection, as certificates are renewed.
      const secureContext = this.url.isEncrypted ? yield* this.secureContext : undefined
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => clientOf(this.url, secureContext)),
        (client) => Effect.sync(() => this.close(client))
      )
      client.on("error", (error: Error) => breakOff(reasonOf(error)))
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
      this.loaded = new Set()
      this.lastReplyAt = performance.now()
      this.breakOff = breakOff
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
      if (now - this.lastReplyAt > patience) this.breakOff("no reply")
    }
  }

  /** The run of the store's server. */
  private run: string | undefined

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
        this.isRefused = isRefusal(cause as Error)
        return this.failure(reasonOf(cause as Error))
      }
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

const clientOf = (
  { place, username, password, database }: FleetUrl,
  secureContext: Effect.Success<ReturnType<typeof TlsClient.context>> | undefined
) => {
  const common = { connectTimeout: connectPatience, reconnectStrategy: false as const }
  const options: RedisClientOptions = {
    socket:
      "path" in place
        ? { ...common, path: place.path, tls: false }
        : secureContext === undefined
          ? { ...common, ...place }
          : { ...common, ...place, tls: true, secureContext, ...TlsClient.checksOf(place.host) },
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
const reasonOf = (
  error: Error & { readonly code?: string; readonly errors?: ReadonlyArray<Error> }
): string => {
  const { code = "", message, errors } = error
  if (untrusted.has(code))
    return `no authority that is trusted has signed its certificate (${code}): ?ca=FILE names one`
  if (code.startsWith("ERR_SSL_")) return `TLS: ${code}`
  return message || errors?.[0]?.message || "no answer"
}

/** Whether a server has said no, and will say so again: its reply is an error, or its certificate is not trusted. */
const isRefusal = (error: Error & { readonly code?: string }): boolean =>
  error instanceof ErrorReply
    ? !/^(LOADING|BUSY|MASTERDOWN)/.test(error.message)
    : untrusted.has(error.code ?? "") || /^ERR_(SSL|TLS)_/.test(error.code ?? "")

const untrusted: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
])
