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
const manifests = yaml
  .parseAllDocuments(readFileSync(join(root, "deploy/kubernetes/effect-socks.yaml"), "utf8"))
  .map((document) => document.toJS())
const [deployment] = manifests
const [container] = deployment.spec.template.spec.containers

/** The types of Kubernetes' own descriptions of each kind, which know every field. */
const types: Readonly<Record<string, string>> = {
  Deployment: "apps/v1",
  Service: "core/v1",
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
      const { code, stdout } = yield* check(manifests)
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
