/**
 * What Kubernetes does with the program by the manifests of `deploy/`: its probes, and its hook before a stop.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as yaml from "yaml"
import { describeWith } from "../support/clients.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import { directory } from "../support/temporary.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const documents = (name: string) =>
  yaml
    .parseAllDocuments(readFileSync(join(root, "deploy/kubernetes", name), "utf8"))
    .map((document) => document.toJS())
const manifests = documents("effect-socks.yaml")
const [deployment] = manifests
const [container] = deployment.spec.template.spec.containers

/** The types of Kubernetes' own descriptions of each kind, which know every field. */
const types: Readonly<Record<string, string>> = {
  Deployment: "apps/v1",
  StatefulSet: "apps/v1",
  Service: "core/v1",
  ConfigMap: "core/v1",
  NetworkPolicy: "networking/v1",
  HorizontalPodAutoscaler: "autoscaling/v2",
  PodDisruptionBudget: "policy/v1"
}

interface Panel {
  readonly id: number
  readonly targets?: ReadonlyArray<{ readonly expr: string }>
  readonly panels?: ReadonlyArray<Panel>
}

interface Variable {
  readonly name: string
  readonly value?: string
}

describe("the manifests", () => {
  it.live("have the fields of their kinds, and no others", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const check = Effect.fnUntraced(function* (documents: ReadonlyArray<{ readonly kind: string }>) {
        const lines = documents.map((document, index) => {
          const from = join(root, "node_modules/kubernetes-types", `${types[document.kind]}.d.ts`)
          return `import type { ${document.kind} as Kind${index} } from ${JSON.stringify(from)}
const document${index}: Kind${index} = ${JSON.stringify(document)}`
        })
        const file = join(path, "manifests.ts")
        writeFileSync(file, lines.join("\n"))
        const flags = [
          "--noEmit",
          "--strict",
          "--ignoreConfig",
          "--module",
          "nodenext",
          "--allowImportingTsExtensions"
        ]
        return yield* Processes.run(join(root, "node_modules/.bin/tsc"), [...flags, file])
      })
      const { code, stdout } = yield* check([...manifests, ...documents("fleet.yaml")])
      assert.strictEqual(code, 0, stdout)
      const wrong = structuredClone(manifests)
      wrong[0].spec.template.spec.containers[0].livenessProb = {}
      wrong[2].spec.maxReplicas = "10"
      const found = (yield* check(wrong)).stdout
      assert.match(found, /livenessProb\b.*'string' is not assignable to type 'number'/s)
    })
  )
})

describeWith(["prometheus"], () => {
  it.live("the dashboard of Grafana asks what Prometheus understands", () =>
    Effect.gen(function* () {
      const { panels, templating } = JSON.parse(
        readFileSync(join(root, "deploy/grafana/effect-socks.json"), "utf8")
      )
      const all: ReadonlyArray<Panel> = panels.flatMap((panel: Panel) => [panel, ...(panel.panels ?? [])])
      assert.lengthOf(new Set(all.map(({ id }) => id)), all.length)
      // What Grafana fills in.
      const names: ReadonlyArray<string> = templating.list.map(({ name }: { readonly name: string }) => name)
      const filled = (expression: string) =>
        expression.replaceAll(/\$\{?(\w+)\}?/g, (_, name: string) => {
          assert.isTrue(names.includes(name) || name.startsWith("__"), name)
          return /interval|range/.test(name) ? "5m" : ".*"
        })
      const rules = all
        .flatMap(({ targets = [] }) => targets)
        .map(({ expr }, index) => ({ record: `rule${index}`, expr: filled(expr) }))
      assert.isAbove(rules.length, 10)
      const file = join(yield* directory, "rules.yml")
      writeFileSync(file, yaml.stringify({ groups: [{ name: "dashboard", rules }] }))
      const { code, stdout, stderr } = yield* Processes.run("promtool", ["check", "rules", file])
      assert.strictEqual(code, 0, stdout + stderr)
    })
  )
})

const prometheus = (name: string) => join(root, "deploy/prometheus", name)

interface Fleet {
  readonly name: string
  /** The machines that each of three machines sees, and whether it leads, a minute apart. */
  readonly machines?: ReadonlyArray<string>
  readonly leads?: ReadonlyArray<string>
  /** The summaries of alerts at the eighteenth minute. */
  readonly alerts: Readonly<Partial<Record<keyof typeof severities, string>>>
}

const severities = {
  EffectSocksFleetMachineLost: "warning",
  EffectSocksFleetSplit: "critical",
  EffectSocksFleetLeaderless: "warning",
  EffectSocksFleetSeveralLeaders: "warning"
}

const fleets: ReadonlyArray<Fleet> = [
  {
    name: "all is well",
    machines: ["3x20", "3x20", "3x20"],
    leads: ["1x20", "0x20", "0x20"],
    alerts: {}
  },
  {
    name: "a machine is gone",
    machines: ["3x5 2x15", "3x5 2x15", "3x5"],
    alerts: { EffectSocksFleetMachineLost: "The fleet has 2 machines, fewer than within the last hour" }
  },
  {
    // It keeps the number that it has seen last.
    name: "a machine is cut off",
    machines: ["3x5 2x15", "3x5 2x15", "3x20"],
    alerts: {
      EffectSocksFleetSplit:
        "Machines of the fleet see different numbers of machines: they have several stores, or one is cut off"
    }
  },
  { name: "another one leads", leads: ["1x15 0x5", "0x17 1x3", "0x20"], alerts: {} },
  {
    name: "the one that led is gone",
    leads: ["1x5", "0x20", "0x20"],
    alerts: {
      EffectSocksFleetLeaderless:
        "No machine leads the fleet, so each one checks upstreams, and sums up and removes old usage, by itself"
    }
  },
  {
    name: "two lead",
    leads: ["1x20", "0x5 1x15", "0x20"],
    alerts: {
      EffectSocksFleetSeveralLeaders:
        "2 machines lead the fleet: their --usage-store is not the same database"
    }
  }
]

describeWith(["prometheus"], () => {
  it.live("the alerts of a fleet are rules that Prometheus takes, and fire when they should", () =>
    Effect.gen(function* () {
      const checked = yield* Processes.run("promtool", ["check", "rules", prometheus("fleet-alerts.yml")])
      assert.strictEqual(checked.code, 0, checked.stdout + checked.stderr)
      const of = (name: string, instance: string, values: string) => ({
        series: `${name}{job="effect-socks",instance="${instance}",machine="${instance}"}`,
        values
      })
      const ofThree = (name: string, all: ReadonlyArray<string> = []) =>
        all.map((values, index) => of(name, `m${index}`, values.replaceAll(/(\d)x(\d+)/g, "$1+0x$2")))
      const cases = fleets.map(({ name, machines, leads, alerts }) => ({
        ...{ name, interval: "1m" },
        input_series: [
          ...ofThree("effect_socks_fleet_machines", machines),
          ...ofThree("effect_socks_fleet_leads", leads)
        ],
        alert_rule_test: (Object.keys(severities) as ReadonlyArray<keyof typeof severities>).map(
          (alertname) => {
            const [severity, summary] = [severities[alertname], alerts[alertname]]
            return {
              ...{ eval_time: "18m", alertname },
              exp_alerts:
                summary === undefined ? [] : [{ exp_labels: { severity }, exp_annotations: { summary } }]
            }
          }
        )
      }))
      const lost = {
        ...{ name: "the store is lost", interval: "15s" },
        input_series: [of("effect_socks_fleet_lost", "m0", "0+0x4 1+0x20")],
        alert_rule_test: [
          ["1m", []],
          [
            "3m",
            [
              {
                exp_labels: { severity: "critical", job: "effect-socks", instance: "m0", machine: "m0" },
                exp_annotations: {
                  summary:
                    "m0 has no leases, as the fleet's store does not answer: it has its share of each limit"
                }
              }
            ]
          ]
        ].map(([eval_time, exp_alerts]) => ({
          alertname: "EffectSocksFleetStoreLost",
          eval_time,
          exp_alerts
        }))
      }
      const file = join(yield* directory, "tests.yml")
      const tests = [...cases, lost]
      writeFileSync(file, yaml.stringify({ rule_files: [prometheus("fleet-alerts.yml")], tests }))
      const { code, stdout, stderr } = yield* Processes.run("promtool", ["test", "rules", file])
      assert.strictEqual(code, 0, stdout + stderr)
    })
  )
})

describe("a pod", () => {
  it.live("is ready, and not any more when it is about to stop, while its sessions go on", () =>
    Effect.gen(function* () {
      const path = yield* directory
      writeFileSync(join(path, "users"), "")
      const token = "0123456789-abcdefghij"
      const given = Object.fromEntries(
        container.env.flatMap(({ name, value }: Variable) =>
          name.startsWith("SOCKS_") && value !== undefined ? [[name, value]] : []
        )
      )
      const env = {
        ...given,
        ...{ SOCKS_ADMIN_TOKEN: token, SOCKS_USERS_FILE: join(path, "users"), SOCKS_STATE_DIR: path },
        ...{ SOCKS_TRUST: "127.0.0.0/8", SOCKS_ADMIN: "127.0.0.1:0", SOCKS_DRAIN_TIMEOUT: "5s" }
      }
      const program = yield* Program.start([], { env })
      const { address } = yield* program.logged({ message: "admin listens" })
      /** Runs a command of the manifest in the place of the container. */
      const exec = ([command, ...args]: ReadonlyArray<string>) =>
        Effect.map(
          Processes.run(
            command === "node" ? process.execPath : command!,
            args.map((arg) => arg.replaceAll("127.0.0.1:9080", String(address)).replaceAll("10_000", "100")),
            { cwd: root, env: { ...env, SOCKS_LISTEN: program.address } }
          ),
          ({ code }) => code
        )
      const { startupProbe, livenessProbe, readinessProbe, lifecycle } = container
      for (const { exec: probe } of [startupProbe, livenessProbe, readinessProbe]) {
        assert.strictEqual(yield* exec(probe.command), 0)
      }
      const early = yield* Tcp.session(program.port)
      assert.strictEqual(yield* exec(lifecycle.preStop.exec.command), 0)
      yield* program.logged({ message: "admin", action: "drain", outcome: "done" })
      assert.strictEqual(yield* exec(readinessProbe.exec.command), 1)
      assert.strictEqual(yield* exec(livenessProbe.exec.command), 0)
      // A client that a load balancer still sends.
      const late = yield* Tcp.session(program.port)

      yield* program.kill("SIGTERM")
      yield* program.logged({ message: "draining", connections: 2 })
      assert.strictEqual(yield* exec(readinessProbe.exec.command), 1)
      for (const { client, origin } of [early, late]) {
        yield* client.send("still here")
        assert.strictEqual(new TextDecoder().decode(yield* origin.receive(10)), "still here")
        yield* client.end
        yield* origin.end
        assert.strictEqual(yield* client.ending, "end")
      }
      assert.strictEqual((yield* program.within("5 seconds")).code, 0)
    })
  )
})
