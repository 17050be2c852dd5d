/**
 * Every known way past a guard, tried through every protocol spoken here, in a
 * server that others can reach: nothing that is closed is ever dialled.
 */
import dns from "node:dns/promises"
import fs from "node:fs/promises"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as ListenAddress from "../../src/config/ListenAddress.ts"
import * as TargetPattern from "../../src/config/TargetPattern.ts"
import { ConnectionRefused } from "../../src/Errors.ts"
import { Dialer } from "../../src/network/Dialer.ts"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import { Resolver } from "../../src/network/Resolver.ts"
import * as AllowTarget from "../../src/policy/AllowTarget.ts"
import * as Config from "../../src/server/Config.ts"
import * as LoopGuard from "../../src/server/LoopGuard.ts"
import { connect, layer, pair } from "../../src/testing/index.ts"
import { DatagramRelay } from "../../src/udp/DatagramRelay.ts"
import * as Hostile from "../support/hostile.ts"
import { answer, label, protocols, refusals, socks5 } from "../support/hostile-clients.ts"
import { captured } from "../support/logs.ts"
import { greeting, request } from "../support/messages.ts"
import { replaceOfNode } from "../support/replaced.ts"
import { read } from "../support/rules.ts"

/** Beyond loopback, and so without private targets. */
const config = { listen: [Option.getOrThrow(ListenAddress.fromString("0.0.0.0:1080"))] }

/** What name servers know, and what they were asked, in the tests that ask them. */
const servers = {
  records: {} as Record<string, string>,
  asked: [] as Array<string>
}

const resolve4 = async (name: string) => {
  servers.asked.push(name)
  const address = Object.hasOwn(servers.records, name) ? servers.records[name] : undefined
  if (address === undefined) throw Object.assign(new Error("ENOTFOUND"), { code: "ENOTFOUND" })
  return [{ address, ttl: 3600 }]
}

replaceOfNode(dns, {
  Resolver: class {
    resolve4 = resolve4
    resolve6 = async () => []
  }
})

replaceOfNode(fs, {
  readFile: async (path: string) =>
    path === "/etc/resolv.conf" ? "search corp.example\noptions ndots:5\n" : ""
})

/** An address that nothing but the server's listening there is to be said against. */
const own = NetAddress.inetAddressFromStringUnsafe("8.8.4.4:1080")

/** A server, and what it dials and looks up. Nothing answers but `answering`. */
const server = (
  settings: Partial<Config.Values> = config,
  { answering, resolver }: { readonly answering?: string; readonly resolver?: Layer.Layer<Resolver> } = {}
) => {
  const dialled: Array<string> = []
  const asked: Array<string> = []
  const dialer = LoopGuard.dialer(
    {
      connect: (address, port) => {
        const text = NetAddress.formatIp(address)
        dialled.push(text)
        return text === answering
          ? Effect.succeed({
              transport: NodeTransport.make(pair()[0]),
              local: own,
              remote: NetAddress.inetAddressUnsafe(address, port)
            })
          : Effect.fail(new ConnectionRefused())
      }
    },
    () => [own],
    []
  )
  const services = layer({
    config: settings,
    dialer: Layer.succeed(Dialer, dialer),
    resolver: resolver ?? Hostile.resolver(asked),
    localAddresses: Hostile.machine.map(NetAddress.ipFromStringUnsafe)
  })
  return { dialled, asked, services: Layer.merge(services, captured().layer) }
}

const table: Array<string> = []

/** Two rules, of which one is for one session at once: what `both.example` has an address of each of. */
const limited: Partial<Config.Values> = {
  ...config,
  rules: read(
    { name: "free", allow: true, to: ["2a00::/16"] },
    { name: "limited", allow: true, to: ["9.0.0.0/8"], limits: { sessions: 1 } }
  )
}

/** What comes of asking for a name while somebody has the one session of that rule. */
const whileFull = (ask: (typeof protocols)[keyof typeof protocols], host: string) => {
  const { dialled, services } = server(limited, { answering: "9.0.0.5" })
  return Effect.gen(function* () {
    const other = yield* connect
    yield* other.send(socks5([9, 0, 0, 5], 80))
    assert.deepStrictEqual([...(yield* other.receive(4))].slice(2), [0x05, 0x00])
    dialled.length = 0
    return { answer: yield* ask(host, 80)!, dialled }
  }).pipe(Effect.scoped, Effect.provide(services))
}

/** Tries a target through everything; each attempt with its answer and the addresses it led to. */
const tried = Effect.fnUntraced(function* (
  host: Hostile.Host,
  port: number,
  settings: Partial<Config.Values> = config
) {
  const attempts: Array<{ protocol: string; answer: string; dialled: string; asked: number }> = []
  const { dialled, asked, services } = server(settings)
  yield* Effect.gen(function* () {
    for (const [protocol, ask] of Object.entries(protocols)) {
      const attempt = ask(host, port)
      if (attempt === undefined) continue
      dialled.length = 0
      asked.length = 0
      const answer = yield* attempt
      const sent = answer.startsWith("to ") ? answer.slice(3) : ""
      attempts.push({ protocol, answer, dialled: dialled.join() || sent, asked: asked.length })
    }
  }).pipe(Effect.provide(services))
  const answers = Object.keys(protocols).map((protocol) =>
    (attempts.find((attempt) => attempt.protocol === protocol)?.answer ?? "-").padEnd(7)
  )
  table.push(`${label(host).padEnd(48)} ${String(port).padStart(5)}  ${answers.join(" ")}`)
  return attempts
})

/** What says that there are as many as there may be. */
const full: Record<string, ReadonlyArray<string>> = {
  SOCKS5: ["02"],
  SOCKS4: ["5b"],
  CONNECT: ["429"],
  GET: ["429"],
  UDP: ["drop"]
}

describe("Hostile targets", () => {
  afterAll(() => {
    const protocol = Object.keys(protocols).map((name) => name.padEnd(7))
    console.log([`${"target".padEnd(48)}  port  ${protocol.join(" ")}`, ...table].join("\n"))
  })

  for (const [kind, hosts] of Object.entries(Hostile.closed)) {
    describe(kind, () => {
      for (const host of hosts) {
        it.effect(`${label(host)} is never dialled`, () =>
          Effect.gen(function* () {
            for (const { protocol, answer, dialled } of yield* tried(host, 80)) {
              assert.strictEqual(dialled, "", protocol)
              assert.include(refusals[protocol] ?? [], answer, protocol)
            }
          })
        )
      }
    })
  }

  for (const [host, address] of Hostile.open) {
    it.effect(`${label(host)} is dialled at ${address} and nowhere else`, () =>
      Effect.gen(function* () {
        for (const { protocol, dialled, asked } of yield* tried(host, 80)) {
          assert.strictEqual(dialled, address, protocol)
          assert.isAtMost(asked, 1, protocol)
        }
      })
    )
  }

  for (const [protocol, ask] of Object.entries(protocols)) {
    it.effect(`both.example by ${protocol} does not get at the address whose rule is full`, () =>
      Effect.gen(function* () {
        const { answer, dialled } = yield* whileFull(ask, "both.example")
        assert.deepStrictEqual(dialled, protocol === "UDP" ? [] : ["2a00::1"])
        assert.include(protocol === "UDP" ? ["to 2a00::1"] : (full[protocol] ?? []), answer)
      })
    )

    it.effect(`limited.example by ${protocol} is not dialled while its rule is full`, () =>
      Effect.gen(function* () {
        const { answer, dialled } = yield* whileFull(ask, "limited.example")
        assert.deepStrictEqual(dialled, [])
        assert.include(full[protocol] ?? [], answer)
      })
    )
  }

  for (const [listener, code] of [
    ["tls:0.0.0.0:1443", 0x07],
    ["tls:0.0.0.0:1443?protocols=socks5", 0x07],
    ["tls:0.0.0.0:1443?udp=true", 0x00],
    ["0.0.0.0:1080", 0x00]
  ] as const) {
    it.effect(`datagrams of a client of ${listener} are ${code === 0x07 ? "not " : ""}relayed`, () =>
      Effect.gen(function* () {
        const at = Option.getOrThrow(ListenAddress.fromString(listener))
        const datagramRelay = Layer.succeed(DatagramRelay, {
          associate: () => Effect.succeed({ bound: own, idle: Effect.never })
        })
        const settings = { ...config, udp: true, ...ListenAddress.optionsOf(at) }
        const associate = answer([...greeting(0x00), ...request("0.0.0.0", 0, 0x03)], 4)
        const [, , , reply] = yield* Effect.provide(associate, layer({ config: settings, datagramRelay }))
        assert.strictEqual(reply, code)
      })
    )
  }

  describe("though a name or * is allowed that leads there", () => {
    const settings = {
      ...config,
      allowTarget: [...Hostile.opened].map((text) => Option.getOrThrow(AllowTarget.fromString(text)))
    }
    for (const host of Hostile.closedNevertheless) {
      it.effect(`${label(host)} is never dialled`, () =>
        Effect.gen(function* () {
          for (const { protocol, answer, dialled } of yield* tried(host, 80, settings)) {
            assert.strictEqual(dialled, "", protocol)
            assert.include(refusals[protocol] ?? [], answer, protocol)
          }
        })
      )
    }

    it.effect("the server itself is never dialled", () =>
      Effect.gen(function* () {
        for (const { protocol, answer, dialled } of yield* tried("own.example", 1080, settings)) {
          if (protocol === "UDP") continue
          assert.strictEqual(dialled, "", protocol)
          assert.include(refusals[protocol] ?? [], answer, protocol)
        }
      })
    )

    for (const [host, addresses] of Hostile.openedNames) {
      it.effect(`${label(host)} is dialled at ${addresses.join(" and ")}`, () =>
        Effect.gen(function* () {
          for (const { protocol, dialled } of yield* tried(host, 80, settings)) {
            const all = addresses.join()
            assert.include([all, [...addresses].reverse().join(), addresses[0]], dialled, protocol)
            if (protocol !== "UDP") assert.include(all, dialled.split(",")[0]!)
          }
        })
      )
    }
  })

  describe("with a search list that would make another name of a short one", () => {
    const denyTarget = [Option.getOrThrow(TargetPattern.fromString("*.corp.example"))]
    const settings = { ...config, denyTarget }
    for (const [host, asked] of [
      ["intranet", ["intranet"]],
      ["intranet.", ["intranet"]],
      ["INTRANET", ["intranet"]],
      ["a.intranet", ["a.intranet"]],
      ["intranet.corp.example", []],
      ["intranet.corp.example.", []]
    ] as const) {
      for (const [protocol, ask] of Object.entries(protocols)) {
        it.effect(`${host} by ${protocol} is no name of that list, and never dialled`, () =>
          Effect.gen(function* () {
            servers.records = { "intranet.corp.example": "8.8.8.8", "a.intranet.corp.example": "8.8.8.8" }
            servers.asked = []
            const resolver = Layer.provide(Resolver.layer, Config.layer(settings))
            const { dialled, services } = server(settings, { resolver })
            const answer = yield* Effect.provide(ask(host, 80)!, services)
            assert.deepStrictEqual([dialled, servers.asked], [[], [...asked]])
            assert.include(refusals[protocol] ?? [], answer)
          })
        )
      }
    }
  })

  it.effect("mail is not sent where something else is denied besides", () =>
    Effect.gen(function* () {
      const denyTarget = [Option.getOrThrow(TargetPattern.fromString(Hostile.deniedNetwork))]
      for (const host of ["8.8.8.8", "public.example"]) {
        for (const { protocol, answer, dialled, asked } of yield* tried(host, 25, {
          ...config,
          denyTarget
        })) {
          assert.deepStrictEqual([dialled, asked], ["", 0], protocol)
          assert.include(refusals[protocol] ?? [], answer, protocol)
        }
      }
    })
  )

  for (const host of Hostile.intoDeniedNetwork) {
    it.effect(
      `${label(host)} is not dialled where ${Hostile.deniedNetwork} is denied and private targets are not`,
      () =>
        Effect.gen(function* () {
          const denyTarget = [Option.getOrThrow(TargetPattern.fromString(Hostile.deniedNetwork))]
          const settings = { ...config, privateTargets: "allow" as const, denyTarget }
          for (const { protocol, answer, dialled } of yield* tried(host, 80, settings)) {
            assert.strictEqual(dialled, "", protocol)
            assert.include(refusals[protocol] ?? [], answer, protocol)
          }
        })
    )
  }

  for (const [host, port, why] of [
    ["8.8.8.8", 0, "port 0"],
    ["public.example", 0, "port 0"],
    ["public.example", 25, "mail"],
    ["8.8.8.8", 25, "mail"],
    ["8.8.4.4", 1080, "the server itself"],
    ["::ffff:8.8.4.4", 1080, "the server itself"],
    ["own.example", 1080, "the server itself"]
  ] as const) {
    it.effect(`${host} at ${port} is ${why}, and never dialled`, () =>
      Effect.gen(function* () {
        for (const { protocol, answer, dialled, asked } of yield* tried(host, port)) {
          // Where it listens it takes connections; a datagram goes to whoever has that port.
          if (why === "the server itself" && protocol === "UDP") continue
          assert.strictEqual(dialled, "", protocol)
          assert.include(refusals[protocol] ?? [], answer, protocol)
          if (why !== "the server itself") assert.strictEqual(asked, 0, protocol)
        }
      })
    )
  }
})
