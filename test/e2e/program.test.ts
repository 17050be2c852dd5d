/**
 * The program and the one who starts it: what it says of itself, the settings
 * it takes, and the sentence for each that it cannot use.
 */
import { createRequire } from "node:module"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Settings from "../../src/cli/Settings.ts"
import * as Setting from "../../src/config/Setting.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"

const { version } = createRequire(import.meta.url)("../../package.json")

describe("what it says of itself", () => {
  it.live("--help names every flag, its variable and its default", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* Program.run(["--help"])
      assert.strictEqual(code, 0)
      const settings = Object.entries(Setting.texts(Settings.table))
      for (const [name, { defaultText }] of settings) {
        const row = stdout.split("\n").find((line) => line.includes(`--${Setting.flagName(name)} `))
        assert.include(row, `(${Setting.variableName(name)}; default: ${defaultText})`)
      }
    })
  )

  it.live("--version is the package's", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* Program.run(["--version"])
      assert.strictEqual(code, 0)
      assert.strictEqual(stdout, `effect-socks v${version}\n`)
    })
  )

  it.live("--completions bash is a script that bash reads", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* Program.run(["--completions", "bash"])
      assert.strictEqual(code, 0)
      const bash = yield* Processes.run("bash", ["-c", `${stdout}\ncomplete -p effect-socks`])
      assert.strictEqual(bash.code, 0, bash.stderr)
      assert.include(stdout, "--half-close-timeout")
    })
  )
})

/** Each setting with a text it does not take, and the end of the sentence about it. */
const wrong: Record<Exclude<keyof typeof Settings.table, "users" | "rules">, [string, RegExp]> = {
  listen: ["localhost", /HOST:PORT, such as 127\.0\.0\.1:1080/],
  user: ["opensesame", /NAME:PASSWORD/],
  protocols: ["gopher", /one of socks5, socks4 and http/],
  usersFile: ["", /the path of a file/],
  authUrl: ["http://192.0.2.1/check", /a URL of https:, or of http: on this machine/],
  authToken: ["open sesame", /a bearer token/],
  trust: ["10.0.0.1/8", /a network such as 10\.0\.0\.0\/8/],
  banAfter: ["0", /a whole number above 0, or off/],
  banWindow: ["off", /a duration such as 500ms/],
  bansFile: ["", /the path of a file/],
  banTime: ["forever", /a duration such as 500ms/],
  open: ["maybe", /true/],
  tlsCert: ["", /the path of a file/],
  tlsKey: ["", /the path of a file/],
  tlsClientCa: ["", /the path of a file/],
  tlsClientCrl: ["", /the path of a file/],
  unixMode: ["rw", /file permissions in octal/],
  proxyProtocolFrom: ["10.0.0.1/8", /a network such as 10\.0\.0\.0\/8/],
  privateTargets: ["maybe", /one of auto, allow and deny/],
  allowTarget: ["10.0.0.1/8", /a target such as/],
  denyTarget: ["*:smtp", /a target such as .*, nor none/],
  blurFailures: ["maybe", /true/],
  handshakeTimeout: ["10", /a duration such as 500ms/],
  resolveTimeout: ["0s", /a duration such as 500ms/],
  connectTimeout: ["-1s", /a duration such as 500ms/],
  idleTimeout: ["never", /a duration such as .*, or off/],
  halfCloseTimeout: ["1 minute", /a duration such as .*, or off/],
  drainTimeout: ["off", /a duration such as 500ms/],
  bind: ["maybe", /true/],
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
  stateDir: ["", /the path of a directory/],
  workers: ["0", /a whole number from 1 to 256, or auto/],
  config: ["", /the path of a file/],
  logLevel: ["loud", /one of trace, debug, info, warn, error and none/],
  logFormat: ["xml", /one of auto, pretty and json/]
}

describe.concurrent("a setting it cannot use", () => {
  for (const [name, [text, expected]] of Object.entries(wrong)) {
    const isSecret = name === "user" || name === "authUrl" || name === "authToken"
    const check = ({ code, stdout, stderr }: Processes.Finished, setting: string) => {
      assert.strictEqual(code, 2)
      assert.strictEqual(stdout, "")
      assert.include(stderr, setting)
      assert.strictEqual(stderr.includes(text), !isSecret)
      assert.match(stderr, expected)
      // One sentence, but for a pointer to the help.
      assert.match(stderr, /^[^\n]+\n(See effect-socks --help\.\n)?$/)
    }
    const flag = `--${Setting.flagName(name)}`
    const variable = Setting.variableName(name)

    it.live(`${flag}=${text}`, () =>
      Effect.map(Program.run([`${flag}=${text}`]), (finished) => check(finished, flag))
    )
    // All variables are read alike.
    if (name !== "listen" && name !== "user") continue
    it.live(`${variable}=${text}`, () =>
      Effect.map(Program.run([], { env: { [variable]: text } }), (finished) => check(finished, variable))
    )
  }

  it.live("a flag it does not know", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* Program.run(["--port", "1080"])
      assert.strictEqual(code, 2)
      assert.match(stderr, /^Unrecognized flag: --port/)
    })
  )

  it.live("a text that a terminal would obey is shown escaped", () =>
    Effect.gen(function* () {
      const { stderr } = yield* Program.run(["--log-level", "\u001b[2J\nlistening"])
      assert.match(stderr, /^--log-level: "\\u\{1b\}\[2J\\u\{a\}listening" is not .*\n$/)
    })
  )
})
