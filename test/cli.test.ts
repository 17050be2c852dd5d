/**
 * The command line: the sentence for each setting that it cannot use.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestConsole from "effect/testing/TestConsole"
import * as Settings from "../src/cli/Settings.ts"
import * as cli from "../src/cli.ts"
import * as Setting from "../src/config/Setting.ts"

/** What comes of these arguments, with these variables in the environment. */
const run = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
  cli
    .run(args, "1.2.3")
    .pipe(
      Effect.scoped,
      Effect.provide(
        Layer.mergeAll(
          NodeServices.layer,
          cli.behaviour,
          ConfigProvider.layer(ConfigProvider.fromEnvRecord(env, { preserveEmptyStrings: true }))
        )
      )
    )

/** What it complains of. */
const complaint = Effect.fnUntraced(function* (...given: Parameters<typeof run>) {
  const error = yield* Effect.flip(run(...given))
  const shown = yield* TestConsole.errorLines
  return (error._tag === "ShowHelp" ? shown : [...shown, error.message]).join("\n")
})

/** Each setting with a text it does not take, and the end of the sentence about it. */
const wrong: Record<Exclude<keyof typeof Settings.table, "users" | "rules" | "routes">, [string, RegExp]> = {
  listen: ["localhost", /HOST:PORT, such as 127\.0\.0\.1:1080/],
  user: ["opensesame", /NAME:PASSWORD/],
  protocols: ["gopher", /one of socks5, socks4 and http/],
  usersFile: ["", /the path of a file/],
  authUrl: ["http://192.0.2.1/check", /a URL of https:, or of http: on this machine/],
  authToken: ["open sesame", /a bearer token/],
  userParameters: ["session-id", /a parameter such as session/],
  trust: ["10.0.0.1/8", /a network such as 10\.0\.0\.0\/8/],
  banAfter: ["0", /a whole number above 0, or off/],
  banWindow: ["off", /a duration such as 500ms/],
  bansFile: ["", /the path of a file/],
  banTime: ["forever", /a duration such as 500ms/],
  open: ["maybe", /true/],
  tls: ["on", /one of files and auto/],
  tlsCert: ["", /the path of a file/],
  tlsKey: ["", /the path of a file/],
  tlsClientCa: ["", /the path of a file/],
  tlsClientCrl: ["", /the path of a file/],
  unixMode: ["rw", /file permissions in octal/],
  proxyProtocolFrom: ["10.0.0.1/8", /a network such as 10\.0\.0\.0\/8/],
  privateTargets: ["maybe", /one of auto, allow and deny/],
  allowTarget: ["10.0.0.1/8", /a target such as/],
  upstream: ["ftp://proxy.example:21", /a URL such as socks5:/],
  egress: ["192.0.2.1:80", /an address such as 192\.0\.2\.10, a network/],
  egressBy: ["session-id", /user, client, or the name of a parameter/],
  egressKey: ["short", /a secret of 16 to 256 ASCII characters/],
  noProxy: ["corp.example/8", /a name such as corp\.example/],
  denyTarget: ["*:smtp", /a target such as .*, nor none/],
  blurFailures: ["maybe", /true/],
  handshakeTimeout: ["10", /a duration such as 500ms/],
  dns: ["dns.example", /the address of a name server/],
  staticHosts: ["db.example", /a name and an address/],
  nat64: ["64:ff9b::/95", /auto, off, or a network of IPv6/],
  prefer: ["ipv5", /one of ipv6 and ipv4/],
  resolveTimeout: ["0s", /a duration such as 500ms/],
  connectTimeout: ["-1s", /a duration such as 500ms/],
  idleTimeout: ["never", /a duration such as .*, or off/],
  halfCloseTimeout: ["1 minute", /a duration such as .*, or off/],
  drainTimeout: ["off", /a duration such as 500ms/],
  bind: ["maybe", /true/],
  transport: ["fast", /one of auto, node and descriptors/],
  bindTimeout: ["2 min", /a duration such as 500ms/],
  bandwidthSession: ["1MiB/fast", /bytes a second such as 1MiB\/10MiB/],
  bandwidthUser: ["1/2/3", /bytes a second such as 1MiB\/10MiB/],
  bandwidthTotal: ["0", /bytes a second such as 1MiB\/10MiB/],
  udp: ["maybe", /true/],
  udpPorts: ["40999-40000", /LOW-HIGH|range|ports/],
  udpIdleTimeout: ["never", /a duration such as .*/],
  udpRate: ["fast", /a whole number above 0, or off/],
  udpAssociations: ["0", /a whole number above 0, or off/],
  udpStrict: ["maybe", /true/],
  udpFullCone: ["maybe", /true/],
  udpFragments: ["maybe", /true/],
  endDenied: ["maybe", /true/],
  pac: ["on", /one of off, all and rules/],
  reportOnly: ["maybe", /true/],
  logDecisions: ["some", /one of auto, all, denied and none/],
  advertise: ["proxy.example", /address/],
  maxHandshakes: ["10:30", /START:RATE:FULL such as/],
  maxSessions: ["0", /a whole number above 0, or auto/],
  maxSessionsPerClient: ["auto", /a whole number above 0, or off/],
  maxSessionsPerUser: ["many", /a whole number above 0, or off/],
  sessionRate: ["10/s", /a whole number above 0, or off/],
  maxLifetime: ["8", /a duration such as .*, or off/],
  dailyQuota: ["5G", /a number of bytes such as .*, or off/],
  monthlyQuota: ["5GiB/s", /a number of bytes such as .*, or off/],
  onQuota: ["slow", /one of deny and throttle/],
  bandwidthOverQuota: ["off", /bytes a second such as 32KiB\/64KiB/],
  quotaResetDay: ["29", /a day from 1 to 28/],
  usageStore: ["mysql://db/usage", /postgresql:\/\/USER:PASSWORD@HOST\/DATABASE/],
  usageRollup: ["a quarter", /a duration such as .*, or off/],
  usageRetention: ["1 year", /a duration such as .*, or off/],
  stateDir: ["", /the path of a directory/],
  metrics: ["maybe", /true/],
  metricsUsers: ["all", /a whole number from 0 to 10000/],
  admin: ["tls:127.0.0.1:9090", /HOST:PORT or unix:/],
  adminToken: ["open sesame", /a bearer token/],
  adminTlsCert: ["", /the path of a file/],
  adminTlsKey: ["", /the path of a file/],
  workers: ["0", /a whole number from 1 to 256, or auto/],
  fleet: ["memcached://cache:11211", /redis:\/\/USER:PASSWORD@HOST:PORT\/DATABASE/],
  fleetPrefix: ["two words", /letters, digits/],
  fleetMachine: ["one/two", /letters, digits/],
  fleetLeader: ["perhaps", /true/],
  fleetLease: ["500ms", /a duration from 1s to 60s/],
  fleetLostSessions: ["allow", /one of share, deny and keep/],
  fleetLostQuotas: ["allow", /one of share, deny and keep/],
  fleetLostRates: ["half", /one of share, deny and keep/],
  fleetLostBandwidth: ["all", /one of share, deny and keep/],
  config: ["", /the path of a file/],
  logLevel: ["loud", /one of trace, debug, info, warn, error and none/],
  logFormat: ["xml", /one of auto, pretty and json/],
  logFile: ["", /the path of a file/]
}

describe("an invalid setting", () => {
  for (const [name, [text, expected]] of Object.entries(wrong)) {
    const isSecret = [
      "user",
      "authUrl",
      "authToken",
      "adminToken",
      "usageStore",
      "fleet",
      "upstream",
      "egressKey"
    ].includes(name)
    const flag = `--${Setting.flagName(name)}`
    const variable = Setting.variableName(name)
    const check = (message: string, setting: string) => {
      assert.include(message, setting)
      assert.strictEqual(message.includes(text), !isSecret)
      assert.match(message, expected)
      // One sentence, but for a pointer to the help.
      assert.match(message, /^[^\n]+(\nSee effect-socks --help\.)?$/)
    }
    it.effect(`${flag}=${text}`, () =>
      Effect.map(complaint(["check", `${flag}=${text}`]), (message) => check(message, flag))
    )
    // An empty one says nothing.
    if (text === "") continue
    it.effect(`${variable}=${text}`, () =>
      Effect.map(complaint(["check"], { [variable]: text }), (message) => check(message, variable))
    )
  }
})

describe("valid settings", () => {
  it.effect("are checked by the command check", () =>
    Effect.gen(function* () {
      yield* run(["check", "--listen", "127.0.0.1:0"], { SOCKS_USER: "alice:secret" })
      assert.include((yield* TestConsole.logLines).join("\n"), "for users with their password")
    })
  )
})

describe("help", () => {
  const help = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
    const exit = yield* Effect.result(run(args))
    const [shown, complaints] = [yield* TestConsole.logLines, yield* TestConsole.errorLines]
    return { exit, shown: shown.join("\n"), complaints: complaints.join("\n") }
  })

  for (const [how, ...args] of [["--help"], ["help"]]) {
    it.effect(`${how} is one page`, () =>
      Effect.gen(function* () {
        const { shown } = yield* help([how!, ...args])
        assert.isAtMost(shown.split("\n").length, 26)
      })
    )

    it.effect(`${how} all has every setting, with its flag, variable and default`, () =>
      Effect.gen(function* () {
        const { shown } = yield* help([how!, "all"])
        // Lines are as long as the terminal is wide.
        const text = shown.replaceAll(/\s+/g, " ")
        for (const [name, { defaultText }] of Object.entries(Setting.texts(Settings.table))) {
          assert.include(shown, `\n  --${Setting.flagName(name)}`)
          assert.include(text, `${Setting.variableName(name)}, default ${defaultText}`)
        }
      })
    )

    it.effect(`${how} of an unknown group lists the groups`, () =>
      Effect.gen(function* () {
        const { complaints } = yield* help([how!, "nonsense"])
        assert.include(
          complaints,
          "There is no help on nonsense. A topic is a command, a setting, or one of all, listeners"
        )
      })
    )

    for (const topic of ["udp-rate", "--udp-rate", "SOCKS_UDP_RATE"]) {
      it.effect(
        `${how} ${topic} has the whole description of the setting, its variable and its default`,
        () =>
          Effect.gen(function* () {
            const { shown } = yield* help([how!, topic])
            assert.strictEqual(
              shown.replaceAll(/\s+/g, " "),
              "Datagrams (datagrams) --udp-rate COUNT Limit of datagrams a second from a client. Datagrams beyond it are dropped. " +
                "SOCKS_UDP_RATE, default off"
            )
          })
      )
    }
  }

  it.effect("is printed for a command", () =>
    Effect.gen(function* () {
      assert.include((yield* help(["help", "explain"])).shown, "--to HOST:PORT")
    })
  )

  it.effect("is printed for a command and a group of settings of the same name", () =>
    Effect.gen(function* () {
      const { shown } = yield* help(["help", "bans"])
      assert.include(shown, "List the banned networks")
      assert.include(shown, "--ban-after COUNT")
    })
  )
})
