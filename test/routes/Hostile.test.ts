/**
 * Every known way past a guard, through every kind of upstream: what is denied without an upstream never arrives at one,
 * and what is allowed is asked for by the judged address, or by the name as it was judged.
 */
import { readFileSync } from "node:fs"
import { createSecureContext, TLSSocket } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as ListenAddress from "../../src/config/ListenAddress.ts"
import * as TargetPattern from "../../src/config/TargetPattern.ts"
import { Dialer } from "../../src/network/Dialer.ts"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import * as AllowTarget from "../../src/policy/AllowTarget.ts"
import * as UpstreamUrl from "../../src/routes/UpstreamUrl.ts"
import type * as Config from "../../src/server/Config.ts"
import { layer, pair, peer, type UpstreamOptions, upstream } from "../../src/testing/index.ts"
import { certificate } from "../support/certificates.ts"
import * as Hostile from "../support/hostile.ts"
import { label, protocols, refusals } from "../support/hostile-clients.ts"
import { captured } from "../support/logs.ts"
import { settled } from "../support/streams.ts"
import { directory } from "../support/temporary.ts"

/** The upstream is where no client may go. The operator has named it. */
const at = "127.0.0.1:3128"

/** Whether the upstream gets names, by the URL of each kind. */
const kinds = {
  [`socks5://${at}`]: false,
  [`socks5h://${at}`]: true,
  [`socks4://${at}`]: false,
  [`socks4a://${at}`]: true,
  [`http://${at}`]: false,
  [`http://${at}?names=upstream`]: true,
  [`https://${at}?ca=CA`]: false,
  [`https://${at}?ca=CA&names=upstream`]: true
}

/** Beyond loopback, and so without private targets. */
const listen = [Option.getOrThrow(ListenAddress.fromString("0.0.0.0:1080"))]

const denyTarget = [Option.getOrThrow(TargetPattern.fromString(Hostile.deniedNetwork))]

/** What is denied under which settings, all of it tested without a route as well. */
const denied: ReadonlyArray<readonly [Partial<Config.Values>, ReadonlyArray<Hostile.Host>]> = [
  [{ listen }, Object.values(Hostile.closed).flat()],
  [
    { listen, allowTarget: Hostile.opened.map((text) => Option.getOrThrow(AllowTarget.fromString(text))) },
    Hostile.closedNevertheless
  ],
  [{ listen, denyTarget, privateTargets: "allow" }, Hostile.intoDeniedNetwork]
]

/** A server whose upstream notes what it is asked for, and whose targets are nowhere else. */
const behind = Effect.fnUntraced(function* (url: string, settings: Partial<Config.Values>) {
  const own = certificate(yield* directory, "upstream", "/CN=localhost")
  const secureContext = createSecureContext({ cert: own.cert, key: readFileSync(own.keyFile) })
  const parsed = Option.getOrThrow(
    UpstreamUrl.fromString(url.replace("CA", encodeURIComponent(own.certFile)))
  )
  const dialled: Array<string> = []
  const arrived: Array<string> = []
  const options: UpstreamOptions = { protocol: parsed.kind, onRequest: (target) => arrived.push(target) }
  const dialer = Layer.succeed(Dialer, {
    connect: (address, port) =>
      Effect.gen(function* () {
        const [near, far] = pair()
        yield* Effect.addFinalizer(() => Effect.sync(() => near.destroy()))
        const remote = NetAddress.inetAddressUnsafe(address, port)
        dialled.push(NetAddress.formatInet(remote))
        const plain = parsed.isTls ? new TLSSocket(far as never, { isServer: true, secureContext }) : far
        yield* Effect.forkScoped(upstream(options)(peer(plain)))
        return { transport: NodeTransport.make(near), local: remote, remote }
      })
  })
  const asked: Array<string> = []
  const services = layer({
    config: { ...settings, upstream: [parsed] },
    ...{
      dialer,
      resolver: Hostile.resolver(asked),
      localAddresses: Hostile.machine.map(NetAddress.ipFromStringUnsafe)
    }
  })
  return { dialled, arrived, asked, parsed, services: Layer.merge(services, captured().layer) }
})

/** The host that an upstream was asked for, an address in the form of this project. */
const hostOf = (requested: string): string => {
  const authority = /^http:\/\/([^/]*)/.exec(requested)?.[1] ?? requested
  const host = authority.replace(/:\d+$/, "").replace(/^\[|\]$/g, "")
  return Result.match(NetAddress.ipFromString(host), {
    onFailure: () => host,
    onSuccess: NetAddress.formatIp
  })
}

/** Whether an upstream of this kind is asked for this by this protocol. */
const isCarried = ({ kind }: UpstreamUrl.Upstream, protocol: string, host: string): boolean =>
  protocol === "UDP" ? kind === "socks5" : kind !== "socks4" || !host.includes(":")

describe.each(Object.entries(kinds))("Hostile targets through %s", (url, sendsNames) => {
  it.live("never arrive, and nothing is dialled for them", () =>
    Effect.gen(function* () {
      for (const [settings, hosts] of denied) {
        const { dialled, arrived, services } = yield* behind(url, settings)
        yield* Effect.gen(function* () {
          for (const host of hosts) {
            for (const [protocol, ask] of Object.entries(protocols)) {
              const attempt = ask(host, 80)
              if (attempt === undefined) continue
              assert.include(refusals[protocol] ?? [], yield* attempt, `${protocol} ${label(host)}`)
              assert.deepStrictEqual([dialled, arrived], [[], []], `${protocol} ${label(host)}`)
            }
          }
        }).pipe(Effect.provide(services))
      }
    }).pipe(Effect.scoped)
  )

  it.live("arrive as they were judged, where they are allowed", () =>
    Effect.gen(function* () {
      const { dialled, arrived, asked, parsed, services } = yield* behind(url, { listen })
      yield* Effect.gen(function* () {
        for (const [host, address] of Hostile.open) {
          for (const [protocol, ask] of Object.entries(protocols)) {
            const attempt = ask(host, 80)
            if (attempt === undefined) continue
            for (const list of [dialled, arrived, asked]) list.length = 0
            const answer = yield* attempt
            yield* settled
            const name = asked.length === 0 ? undefined : String(host).toLowerCase().replace(/\.$/, "")
            const expected = sendsNames && protocol !== "UDP" ? (name ?? address) : address
            const which = `${protocol} ${label(host)}`
            if (!isCarried(parsed, protocol, expected)) {
              assert.deepStrictEqual(arrived, [], which)
            } else if (protocol === "UDP") {
              // The datagram, in the association that the upstream was asked for.
              assert.deepStrictEqual([answer, arrived], [`to ${address}`, ["0.0.0.0:0"]], which)
            } else {
              assert.deepStrictEqual(arrived.map(hostOf), [expected], which)
            }
            assert.isAtMost(asked.length, 1, which)
            for (const one of dialled) assert.strictEqual(one, at, which)
          }
        }
      }).pipe(Effect.provide(services))
    }).pipe(Effect.scoped)
  )
})
