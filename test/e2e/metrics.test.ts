/**
 * The metrics of a server with two workers, as Prometheus scrapes them, with the rules and the dashboard of `deploy/`.
 */
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Admin from "../support/admin.ts"
import { describeWith } from "../support/clients.ts"
import * as Processes from "../support/processes.ts"
import * as Tcp from "../support/tcp.ts"
import { directory } from "../support/temporary.ts"
import * as Workers from "../support/workers.ts"

const deploy = (path: string) => fileURLToPath(new URL(`../../deploy/${path}`, import.meta.url))

/** The sum of the series of a name in the text of Prometheus. */
const sumOf = (text: string, name: string) =>
  Array.from(text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm")), ([, value]) =>
    Number(value)
  ).reduce((sum, value) => sum + value, 0)

/** An answer of Prometheus to a query. */
interface Result {
  readonly status: string
  readonly error?: string
  readonly data?: {
    readonly result: ReadonlyArray<{ readonly value: readonly [time: number, value: string] }>
  }
}

interface Rules {
  readonly data: {
    readonly groups: ReadonlyArray<{ readonly rules: ReadonlyArray<{ readonly health: string }> }>
  }
}

/** Every expression of the dashboard, as Grafana asks for it. */
const expressions = () => {
  const dashboard = JSON.parse(readFileSync(deploy("grafana/effect-socks.json"), "utf8")) as {
    readonly panels: ReadonlyArray<{ readonly targets: ReadonlyArray<{ readonly expr: string }> }>
  }
  return dashboard.panels
    .flatMap(({ targets }) => targets)
    .map(({ expr }) =>
      expr
        .replaceAll("$job", "effect-socks")
        .replaceAll("$instance", ".*")
        .replaceAll("$__rate_interval", "1m")
    )
}

describeWith(["prometheus"], () => {
  it.live("scrapes the sums of all workers, and takes rules and dashboard", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const adminPort = yield* Workers.freePort
      const at = { port: adminPort, token: "secret" }
      const program = yield* Workers.start(
        [
          "--user",
          "alice:secret",
          "--admin",
          `127.0.0.1:${adminPort}`,
          "--state-dir",
          path,
          "--drain-timeout",
          "100ms"
        ],
        { env: { SOCKS_ADMIN_TOKEN: at.token } }
      )
      const pids = yield* program.pids
      const target = yield* Tcp.target
      const open = yield* Workers.spread(pids, Tcp.sessionOf("alice", program.port, target))
      for (const { client, origin } of open) {
        yield* client.send("abc")
        yield* origin.receive(3)
      }
      yield* Tcp.logIn(program.port, "alice", "wrong")

      const { text, headers } = yield* Admin.ask(at, "/metrics")
      assert.match(String(headers["content-type"]), /^text\/plain; version=0\.0\.4/)
      assert.strictEqual(sumOf(text, "effect_socks_sessions"), open.length)
      assert.strictEqual(sumOf(text, "effect_socks_bytes_total"), 3 * open.length)
      assert.strictEqual(sumOf(text, "effect_socks_dial_seconds_count"), open.length)
      for (const worker of ["primary", "1", "2"]) {
        assert.include(text, `effect_socks_memory_bytes{kind="resident",worker="${worker}"}`)
      }
      const lint = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" })
      assert.deepStrictEqual([lint.status, lint.stdout + lint.stderr], [0, ""])
      const rules = spawnSync("promtool", ["check", "rules", deploy("prometheus/alerts.yml")], {
        encoding: "utf8"
      })
      assert.strictEqual(rules.status, 0, rules.stdout + rules.stderr)

      const port = yield* Workers.freePort
      const config = readFileSync(deploy("prometheus/prometheus.yml"), "utf8")
        .replace(
          "scrape_configs:",
          "global: { scrape_interval: 1s, evaluation_interval: 1s }\nscrape_configs:"
        )
        .replace("/etc/prometheus/effect-socks-token", join(path, "admin-token-file"))
        .replace("127.0.0.1:9080", `127.0.0.1:${adminPort}`)
        .replaceAll(/- ((fleet-)?alerts\.yml)/g, (_, name) => `- ${deploy(`prometheus/${name}`)}`)
      writeFileSync(join(path, "admin-token-file"), at.token)
      writeFileSync(join(path, "prometheus.yml"), config)
      yield* Processes.start("prometheus", [
        `--config.file=${join(path, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(path, "tsdb")}`,
        `--web.listen-address=127.0.0.1:${port}`
      ])
      const query = (expression: string) =>
        Effect.promise(() =>
          fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`).then(
            (response) => response.json() as Promise<Result>,
            (): Result => ({ status: "starting" })
          )
        )
      const value = (expression: string) =>
        Effect.map(query(expression), ({ data }) => Number(data?.result[0]?.value[1]))
      // A worker that is killed takes none of the counts with it that were scraped, and its sessions end.
      const sum = "sum(effect_socks_sessions_begun_total)"
      while ((yield* value(sum)) !== open.length) yield* Effect.sleep("200 millis")
      process.kill(pids[0]!, "SIGKILL")
      yield* program.logged({ message: "a worker died" })
      const rest = open.filter(({ pid }) => pid !== pids[0]).length
      while ((yield* value("sum(effect_socks_sessions)")) !== rest) yield* Effect.sleep("200 millis")
      assert.strictEqual(yield* value(sum), open.length)
      // It takes two scrapes for a rate.
      const empty: Array<string> = []
      for (const expression of expressions()) {
        const { status, error, data } = yield* query(expression)
        assert.strictEqual(status, "success", `${expression}: ${error}`)
        if (data?.result.length === 0) empty.push(expression)
      }
      // Nothing was denied, resolved or refused here.
      assert.isAtMost(empty.length, 6, empty.join("\n"))
      const { data } = yield* Effect.promise(() =>
        fetch(`http://127.0.0.1:${port}/api/v1/rules`).then((response) => response.json() as Promise<Rules>)
      )
      const health = data.groups.flatMap(({ rules }) => rules).map(({ health }) => health)
      assert.deepStrictEqual(new Set(health), new Set(["ok"]))
      assert.strictEqual((yield* program.stop).code, 0)
    }).pipe(Effect.scoped)
  )
})
