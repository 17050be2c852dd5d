/**
 * A server in an app: its options, its services, and what it provides. On a network in memory.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import {
  Authenticator,
  Bans,
  CoordinatorMember,
  CoordinatorSeat,
  Dialer,
  Errors,
  Reload,
  Resolver,
  Server,
  type ServerOptions,
  Sessions,
  Settings,
  type User,
  Users
} from "../../src/index.ts"
import { layerServer, Network, type Peer } from "../../src/testing/index.ts"
import { credentials, greeting, request } from "../support/messages.ts"
import { settled } from "../support/streams.ts"

class One extends Context.Service<One, Server["Service"]>()("test/One") {}
class Other extends Context.Service<Other, Server["Service"]>()("test/Other") {}

class Reference extends Context.Service<Reference, SubscriptionRef.SubscriptionRef<ReadonlyArray<User>>>()(
  "test/Reference"
) {}

const local: ServerOptions = { listen: "127.0.0.1:0" }

/** Two servers, each with a tag of its own. */
const both = (one: ServerOptions, other: ServerOptions) =>
  Layer.merge(
    Layer.effect(One, Server).pipe(Layer.provide(Server.layer(one))),
    Layer.effect(Other, Server).pipe(Layer.provide(Server.layer(other)))
  ).pipe(Layer.provideMerge(Network.layer))

const unreachable = Layer.succeed(Dialer, { connect: () => Effect.fail(new Errors.NetworkUnreachable()) })

const asking = [...greeting(0x00), ...request("192.0.2.1", 80)]
const loggingIn = (name: string) => [
  ...greeting(0x02),
  ...credentials(name, "secret"),
  ...request("192.0.2.1", 80)
]

/** A client that has sent these bytes. */
const client = Effect.fnUntraced(function* (bytes: ReadonlyArray<number>, to?: string) {
  const { connect, target } = yield* Network
  yield* target("192.0.2.1:80", ({ ending }) => ending)
  const peer = yield* connect(to === undefined ? {} : { to })
  yield* peer.send(bytes)
  return peer
})

const replyOf = (peer: Peer) => Effect.map(peer.receive(4), (bytes) => bytes[3])

const refusalOf = (options: object) =>
  Effect.map(Effect.flip(Effect.scoped(Layer.build(layerServer(options)))), ({ message }) => message)

const alice = { name: "alice", password: Redacted.make("secret") }

describe("Server.layer", () => {
  it.effect("is another server for other options", () =>
    Effect.gen(function* () {
      const [one, other] = [yield* One, yield* Other]
      assert.notDeepEqual(one.addresses, other.addresses)
      assert.deepStrictEqual([one.asksPassword, other.asksPassword], [false, true])
    }).pipe(Effect.provide(both(local, { ...local, users: Redacted.make("alice:secret") })))
  )

  it.effect("is another server for the same options", () =>
    Effect.gen(function* () {
      assert.notDeepEqual((yield* One).addresses, (yield* Other).addresses)
    }).pipe(Effect.provide(both(local, local)))
  )

  it.effect("counts the sessions of two servers apart", () => {
    const options: ServerOptions = { ...local, maxSessions: 1 }
    return Effect.gen(function* () {
      const at = ({ addresses }: Server["Service"]) => `127.0.0.1:${addresses[0]!.port}`
      const [one, other] = [at(yield* One), at(yield* Other)]
      const replies = Effect.forEach([one, one, other], (to) => Effect.flatMap(client(asking, to), replyOf))
      assert.deepStrictEqual(yield* Effect.scoped(replies), [0, 1, 0])
    }).pipe(Effect.provide(both(options, options)))
  })

  it.effect("counts the sessions of two members of a seat together", () => {
    const options: ServerOptions = { ...local, maxSessions: 1 }
    const member = Layer.provide(Server.layer(options), Layer.fresh(CoordinatorMember.layer))
    const seat = CoordinatorSeat.layerLocal.pipe(
      Layer.provide(CoordinatorSeat.layer(2)),
      Layer.provide(Settings.layer(options))
    )
    const members = Layer.merge(
      Layer.provide(Layer.effect(One, Server), member),
      Layer.provide(Layer.effect(Other, Server), Layer.fresh(member))
    )
    return Effect.gen(function* () {
      const at = ({ addresses }: Server["Service"]) => `127.0.0.1:${addresses[0]!.port}`
      const [one, other] = [at(yield* One), at(yield* Other)]
      const replies = Effect.forEach([one, other], (to) => Effect.flatMap(client(asking, to), replyOf))
      assert.deepStrictEqual(yield* Effect.scoped(replies), [0, 1])
    }).pipe(Effect.provide(members.pipe(Layer.provide(seat), Layer.provideMerge(Network.layer))))
  })

  it.effect("uses a service of the app, which stays over a reload", () =>
    Effect.gen(function* () {
      const server = yield* Server
      const reply = Effect.map(
        Effect.flatMap(client(asking), ({ rest }) => rest),
        (bytes) => bytes[3]
      )
      assert.strictEqual(yield* reply, 3)
      yield* (yield* Reload)({ listen: ["127.0.0.1:1", "127.0.0.1:2"] })
      assert.lengthOf(server.addresses, 2)
      assert.strictEqual(yield* reply, 3)
    }).pipe(Effect.provide(Layer.provide(layerServer(local), unreachable)))
  )

  it.effect("takes new options, or on a failure keeps the earlier ones", () =>
    Effect.gen(function* () {
      const reload = yield* Reload
      const server = yield* Server
      const error = yield* Effect.flip(reload({ listen: "0.0.0.0:1080" }))
      assert.strictEqual(error._tag, "OpenProxyRefused")
      assert.strictEqual((yield* Effect.flip(reload({ maxSessions: 0 })))._tag, "BadSettings")
      assert.isFalse(server.asksPassword)
      yield* reload({ listen: "0.0.0.0:1080", users: [alice] })
      assert.isTrue(server.asksPassword)
    }).pipe(Effect.provide(layerServer(local)))
  )

  it.effect("warns of options that a reload does not change", () => {
    const warnings: Array<unknown> = []
    const logger = Logger.make<unknown, void>(({ message, logLevel }) => {
      if (logLevel === "Warn") warnings.push(message)
    })
    return Effect.gen(function* () {
      const reload = yield* Reload
      yield* reload({ ...local, maxSessions: 100 })
      assert.lengthOf(warnings, 0)
      yield* reload({ ...local, bansFile: "bans", quotaResetDay: 15 })
      assert.deepStrictEqual(warnings, [
        ["read at the start only: other values take a restart", { settings: ["bansFile", "quotaResetDay"] }]
      ])
    }).pipe(Effect.provide(Layer.provideMerge(layerServer(local), Logger.layer([logger]))))
  })

  it.effect("accepts the present users of a reference", () => {
    return Effect.gen(function* () {
      const users = yield* Reference
      const login = Effect.gen(function* () {
        const peer = yield* client(loggingIn("alice"))
        return (yield* peer.receive(4))[3]
      })
      assert.strictEqual(yield* login, 1)
      yield* SubscriptionRef.set(users, [alice])
      assert.strictEqual(yield* login, 0)
      const peer = yield* client(loggingIn("alice"))
      yield* peer.receive(14)
      yield* SubscriptionRef.set(users, [])
      assert.strictEqual(yield* peer.ending, "reset")
      assert.strictEqual(yield* login, 1)
    }).pipe(
      Effect.provide(
        layerServer({ ...local, endDenied: true }).pipe(
          Layer.provide(Layer.unwrap(Effect.map(Reference, Users.layerRef))),
          Layer.provideMerge(Layer.effect(Reference, SubscriptionRef.make<ReadonlyArray<User>>([])))
        )
      )
    )
  })

  it.effect("lists sessions, ends one with a reason, and emits events of both", () =>
    Effect.gen(function* () {
      const { list, end, events } = yield* Sessions
      const told = yield* Effect.forkChild(Stream.runCollect(Stream.take(events, 3)), {
        startImmediately: true
      })
      const peer = yield* client(asking)
      yield* peer.receive(12)
      const [session] = yield* list
      assert.strictEqual(session?.target, "192.0.2.1:80")
      assert.isTrue(yield* end(session!.id, "denied"))
      assert.strictEqual(yield* peer.ending, "reset")
      const [begun, connected, ended] = yield* Fiber.join(told)
      assert.deepStrictEqual(
        [begun?._tag, connected?._tag, ended?._tag],
        ["SessionBegun", "SessionConnected", "SessionEnded"]
      )
      assert.deepInclude(ended, { outcome: "denied", id: session!.id })
      assert.isFalse(yield* end(session!.id))
    }).pipe(Effect.provide(layerServer(local)))
  )

  it.effect("bans a network by hand", () =>
    Effect.gen(function* () {
      const { ban } = yield* Bans
      yield* ban(Result.getOrThrow(IpNetwork.fromString("203.0.113.0/24")), "1 minute" as never, "test")
      const { connect } = yield* Network
      assert.strictEqual(yield* (yield* connect()).ending, "reset")
    }).pipe(Effect.provide(layerServer({ ...local, listen: "192.0.2.9:1080", open: true })))
  )

  it.effect("refuses the same settings as the program, with the same messages", () =>
    Effect.gen(function* () {
      for (const [options, message] of [
        [{ maxSessions: -5 }, "maxSessions: -5 is not a whole number above 0, or auto"],
        [{ listen: [] }, "listen: an empty list says nothing; leave it out for its default"],
        [{ udpPorts: [70000, 1] }, "udpPorts: a list is not a range of ports such as 40000-40999, or any"],
        [{ idleTimout: "1 minute" }, "idleTimout is no setting; did you mean idleTimeout?"],
        [{ idleTimeout: 5 }, "idleTimeout: 5 is not a duration such as 500ms, 10s, 15m or 1h, or off"],
        [
          { users: [{ name: "alice", pasword: Redacted.make("secret") }] },
          "users[0].pasword is no setting; did you mean password?"
        ],
        [
          { users: [{ ...alice, limits: { dailyQuota: "much" } }] },
          'users[0].limits.dailyQuota: "much" is not a number of bytes such as 512KiB, 10MiB or 1GiB, or off'
        ],
        [
          { listen: ["127.0.0.1:1", "127.0.0.1:1"] },
          'listen[1]: "127.0.0.1:1" is not the only listener at its place'
        ],
        [
          { rules: [{ allow: "yes please" }] },
          'rules[0].allow: "yes please" is not true, its only value; deny: true denies'
        ],
        [
          { listen: "0.0.0.0:1080" },
          "refusing to listen on 0.0.0.0:1080: others can reach it and no password is set. " +
            "Give it users or an Authenticator that asks for a password, or open: true to let everyone in."
        ],
        [
          { rules: [{ allow: true, groups: "staff" }] },
          'rules[0].groups[0]: group "staff" of rule 1 is not a group of any user'
        ]
      ] as const) {
        assert.strictEqual(yield* refusalOf(options), message)
      }
      const misspelt = yield* Effect.flip(Settings.make({ idleTimout: "1 minute" } as object))
      assert.deepInclude(misspelt.errors[0], { _tag: "BadFile", setting: "idleTimout" })
      const url = yield* refusalOf({ authUrl: "http://alice:secret@auth.example/check" })
      assert.match(url, /^authUrl: what was given is not a URL of https:/)
      assert.strictEqual(
        yield* refusalOf({ maxSessions: 0, udpRate: 1.5 }).pipe(
          Effect.map((text) => text.split("\n").length)
        ),
        2
      )
    })
  )

  it.effect("refuses settings that a service of the app would leave without effect", () =>
    Effect.gen(function* () {
      const refused = (
        layer: Layer.Layer<Users> | Layer.Layer<Authenticator> | Layer.Layer<Resolver>,
        options: ServerOptions = { users: [alice] }
      ) =>
        Server.layer({ ...local, ...options }).pipe(
          Layer.provide(layer as Layer.Layer<never>),
          Layer.provide(Network.layer),
          Layer.build,
          Effect.scoped,
          Effect.flip,
          Effect.map(({ message }) => message)
        )
      assert.match(
        yield* refused(Users.layerFixed([])),
        /^users: what was given is not possible beside a layer of Users/
      )
      assert.match(
        yield* refused(Authenticator.layerAnyone),
        /^users: .* beside an Authenticator of your own/
      )
      assert.match(
        yield* refused(Resolver.layerFixed({}), { staticHosts: "db.example=10.0.0.5" }),
        /^staticHosts: .* beside a Resolver of your own/
      )
      const http = Effect.scoped(Layer.build(Authenticator.layerHttp({ url: "http://auth.example/" })))
      assert.match((yield* Effect.flip(http)).message, /^url: what was given is not a URL of https:/)
    })
  )

  it.effect("reads options by Effect's Config, and settings from variables", () => {
    const env = ConfigProvider.layer(
      ConfigProvider.fromUnknown({ PORT: "7000", SOCKS_LISTEN: "127.0.0.1:7001", SOCKS_MAX_SESSIONS: "0" })
    )
    return Effect.gen(function* () {
      const options = { listen: Config.map(Config.Port("PORT"), (port) => `127.0.0.1:${port}`) }
      const { addresses } = yield* Effect.provide(
        Server,
        Server.layerConfig(options).pipe(Layer.provide(Network.layer))
      )
      assert.strictEqual(addresses[0]?.port, 7000)
      const error = yield* Effect.flip(Settings.fromEnv)
      assert.strictEqual(error.message, 'SOCKS_MAX_SESSIONS: "0" is not a whole number above 0, or auto')
    }).pipe(Effect.provide(env))
  })

  it.effect("warns about variables that look like settings, beside mistakes in others", () => {
    const warnings: Array<unknown> = []
    const logger = Logger.make<unknown, void>(({ message }) => void warnings.push(message))
    return Effect.gen(function* () {
      const error = yield* Effect.flip(Settings.fromEnv)
      assert.strictEqual(error.message, 'SOCKS_UDP: "maybe" is not true or false')
      assert.deepStrictEqual(warnings.flat(), [
        "the environment variable SOCKS_LISTN is no setting; did you mean SOCKS_LISTEN?",
        "the environment variable SOCKS_LISTEN_X is no setting; did you mean SOCKS_LISTEN?"
      ])
    }).pipe(
      Effect.provide(
        Layer.merge(
          Logger.layer([logger]),
          ConfigProvider.layer(
            ConfigProvider.fromEnvRecord({
              SOCKS_LISTN: "x",
              SOCKS_LISTEN: "127.0.0.1:1",
              SOCKS_LISTEN_X: "x",
              SOCKS_UDP: "maybe",
              PATH: "x"
            })
          )
        )
      )
    )
  })
})

describe("the context of a server", () => {
  it.effect("gives its log annotations to the sessions, and not its span", () => {
    const lines: Array<readonly [message: unknown, annotations: unknown, fields: object]> = []
    const logger = Logger.make<unknown, void>(({ message, fiber }) => {
      const [text, fields] = Array.isArray(message) ? message : [message, {}]
      lines.push([text, fiber.getRef(References.CurrentLogAnnotations), fields])
    })
    const spans: Array<string> = []
    return Effect.gen(function* () {
      const dialled = yield* Deferred.make<string>()
      const dialer = Layer.succeed(Dialer, {
        connect: () =>
          Effect.gen(function* () {
            const { parent } = yield* Effect.currentSpan
            yield* Deferred.succeed(dialled, parent._tag === "Some" ? "has a parent" : "is a root")
            return yield* new Errors.ConnectionRefused()
          }).pipe(Effect.orDie, Effect.withSpan("dial")) as never
      })
      const server = layerServer(local).pipe(Layer.provide([dialer, Logger.layer([logger])]))
      const services = yield* Layer.build(server).pipe(
        Effect.annotateLogs({ app: "shop" }),
        Effect.withSpan("building")
      )
      yield* Effect.gen(function* () {
        const peer = yield* client(asking)
        yield* peer.rest
        yield* peer.end
        yield* settled
      }).pipe(Effect.provide(services))
      spans.push(yield* Deferred.await(dialled))
      assert.deepStrictEqual(spans, ["is a root"])
      const session = lines.find(([text]) => text === "session")
      assert.deepStrictEqual(session?.[1], { app: "shop" })
      assert.notInclude(Object.values(session![2]), undefined)
    })
  })
})
