/**
 * Settings as a program in TypeScript gives them, and the sentences for what cannot be used.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as PlainValues from "../../src/config/PlainValues.ts"
import * as Section from "../../src/config/Section.ts"
import * as Config from "../../src/server/Config.ts"

const table = Section.table(Config.sections)

const read = (options: object): Effect.Effect<Record<string, unknown>, Error> =>
  PlainValues.read(table, options)

const network = Result.getOrThrow(IpNetwork.fromString("10.0.0.0/8"))
const address = NetAddress.ipFromStringUnsafe("192.0.2.10")

describe("plain values", () => {
  for (const [name, given, value] of [
    ["idleTimeout", "15 minutes", Duration.minutes(15)],
    ["idleTimeout", "90s", Duration.seconds(90)],
    ["idleTimeout", Duration.hours(2), Duration.hours(2)],
    ["idleTimeout", Duration.infinity, Duration.infinity],
    ["handshakeTimeout", "1 day", Duration.days(1)],
    ["dailyQuota", "10 MiB", 10 * 1024 * 1024],
    ["dailyQuota", "1.5 GB", 1_500_000_000],
    ["dailyQuota", 4096, 4096],
    ["bandwidthUser", "1 MiB/10 MiB", { upload: 1_048_576, download: 10_485_760 }],
    ["bandwidthUser", { download: "1 kB" }, { upload: Infinity, download: 1000 }],
    ["unixMode", 0o660, 0o660],
    ["unixMode", "0660", 0o660],
    ["trust", [network, "10.0.0.0/8"], [network, network]],
    ["trust", network, [network]],
    ["advertise", address, address],
    ["udpPorts", "40000-40999", [40000, 40999]],
    ["maxHandshakes", "10:30:100", { start: 10, rate: 30, full: 100 }],
    ["listen", Host.hostPortUnsafe(address, 1080), [Host.hostPortUnsafe(address, 1080)]],
    ["listen", NetAddress.unixPathAddress("/run/a"), [NetAddress.unixPathAddress("/run/a")]]
  ] as const) {
    it.effect(`takes ${JSON.stringify(given)} as ${name}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual((yield* read({ [name]: given }))[name], value)
      })
    )
  }

  it.effect("takes users and their limits", () =>
    Effect.gen(function* () {
      const { users } = yield* read({
        users: [
          Redacted.make("alice:secret"),
          {
            name: "bob",
            password: Redacted.make("hunter2"),
            groups: ["staff"],
            networks: [network],
            limits: { sessionRate: 5, dailyQuota: "5 GiB", lifetime: "8 hours", upload: "off" }
          }
        ]
      })
      assert.deepStrictEqual(users, [
        { name: "alice", password: Redacted.make("secret") },
        {
          name: "bob",
          password: Redacted.make("hunter2"),
          groups: ["staff"],
          networks: [network],
          limits: {
            sessionRate: 5,
            dailyQuota: 5 * 1024 ** 3,
            lifetime: Duration.hours(8),
            upload: Infinity
          }
        }
      ])
    })
  )

  for (const [options, message] of [
    [{ idleTimeout: 0 }, "idleTimeout: 0 is not a duration such as 500ms, 10s, 15m or 1h, or off"],
    [
      { idleTimeout: Duration.zero },
      'idleTimeout: "0d" is not a duration such as 500ms, 10s, 15m or 1h, or off'
    ],
    [
      { handshakeTimeout: Duration.infinity },
      'handshakeTimeout: "off" is not a duration such as 500ms, 10s, 15m or 1h'
    ],
    [{ maxSessions: Number.NaN }, "maxSessions: NaN is not a whole number above 0, or auto"],
    [{ maxSessions: null }, "maxSessions has no value; leave it out for its default"],
    [{ unixMode: 660 }, "unixMode: 660 is not file permissions in octal, such as 0600 or 0660"],
    [{ udp: "yes" }, 'udp: "yes" is not true or false'],
    [{ constructor: 1 }, "constructor is no setting"],
    [
      { listen: { address: "127.0.0.1:1", wait: "long" } },
      'listen.wait: "long" is not a duration such as 30s or 5m'
    ],
    [{ authToken: { file: "/etc/passwd" } }, 'authToken: "/etc/passwd" is not read here: give what is in it']
  ] as const) {
    it.effect(`refuses ${JSON.stringify(options)}`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(read(options))).message, message)
      })
    )
  }

  it.effect("shows no secret", () =>
    Effect.gen(function* () {
      for (const options of [
        { users: Redacted.make("secret") },
        { users: { name: Redacted.make("secret:"), password: Redacted.make("secret") } },
        { users: { name: "alice", passwordHash: Redacted.make("secret") } },
        { users: { name: "alice", secret: Redacted.make("secret") } },
        { authToken: Redacted.make("secret secret") },
        { authUrl: "http://alice:secret@auth.example/" },
        { listen: Redacted.make("secret") },
        { maxSessions: Redacted.make("secret") }
      ]) {
        assert.notInclude(
          (yield* Effect.flip(read(options))).message.replace("users.secret is", ""),
          "secret"
        )
      }
    })
  )
})
