/**
 * What holds for a listener: its own options before the settings of all listeners.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as ListenAddress from "../../src/config/ListenAddress.ts"
import { at, CurrentListener } from "../../src/network/CurrentListener.ts"
import * as Config from "../../src/server/Config.ts"

const all = { protocols: ["socks5", "http"], udp: true } as const

const listener = (text: string, settings: CurrentListener["Service"] = all) =>
  at(Option.getOrThrow(ListenAddress.fromString(text)), settings)

describe("a listener", () => {
  it.each<[listen: string, protocols: ReadonlyArray<string>, udp: boolean, capsules?: boolean]>([
    ["127.0.0.1:1080", ["socks5", "http"], true],
    ["127.0.0.1:1080?protocols=socks4", ["socks4"], true],
    ["127.0.0.1:1080?udp=false", ["socks5", "http"], false],
    ["127.0.0.1:1080?protocols=http&udp=false&wait=30s", ["http"], false],
    ["tls:127.0.0.1:1443", ["socks5", "http"], false, true],
    ["tls:127.0.0.1:1443?udp=false", ["socks5", "http"], false],
    ["tls:127.0.0.1:1443?udp=true", ["socks5", "http"], true]
  ])("%s", (listen, protocols, udp, capsules = udp) => {
    assert.deepStrictEqual<unknown>(listener(listen), { protocols, udp, capsules })
  })

  it("can have UDP if other listeners have none", () => {
    assert.isFalse(listener("127.0.0.1:1080", { ...all, udp: false }).udp)
    assert.isTrue(listener("127.0.0.1:1080?udp=true", { ...all, udp: false }).udp)
  })

  it.effect("without options has the settings of all listeners", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual<unknown>(yield* CurrentListener, { protocols: ["socks4"], udp: false })
    }).pipe(
      Effect.provide(
        Layer.provide(CurrentListener.layer, Config.layer({ protocols: ["socks4"], udp: false }))
      )
    )
  )
})
