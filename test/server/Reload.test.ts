/**
 * Settings read again: in force if they can be, and else a loud line.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { BadSetting } from "../../src/Errors.ts"
import * as Config from "../../src/server/Config.ts"
import * as Reload from "../../src/server/Reload.ts"
import { RunningServer } from "../../src/server/RunningServer.ts"
import type * as Event from "../../src/session/Event.ts"
import { Events } from "../../src/session/Events.ts"
import { captured } from "../support/logs.ts"

/** A server that takes what it is given, or refuses it; and what of it is alive. */
const fake = (refuses: boolean) => {
  const alive = new Set<string>()
  const releases: Array<() => void> = []
  const server = Layer.succeed(RunningServer, {
    listeners: [],
    addresses: [],
    asksPassword: false,
    selfSigned: undefined,
    settings: Config.defaults,
    usersChanged: () => Effect.die("not asked"),
    census: Effect.die("not asked"),
    upstreams: Effect.die("not asked"),
    sessions: Effect.die("not asked"),
    endSession: () => Effect.die("not asked"),
    reload: (_, release = () => {}) => {
      releases.push(release)
      return refuses
        ? Effect.fail(new BadSetting({ setting: "--listen", value: '"x"', expected: "right" }))
        : Effect.void
    }
  })
  const services = (name: string) =>
    Layer.effectDiscard(
      Effect.acquireRelease(
        Effect.sync(() => alive.add(name)),
        () => Effect.sync(() => alive.delete(name))
      )
    ) as Layer.Layer<never>
  return { alive, releases, server, services }
}

describe("Reload", () => {
  it.effect("keeps its services until the server no longer needs them", () => {
    const { lines, layer } = captured()
    const { alive, releases, server, services } = fake(false)
    return Effect.gen(function* () {
      const events: Array<Event.Event> = []
      yield* (yield* Events).listen(["Reloaded"], (event) => Effect.sync(() => void events.push(event)))
      yield* yield* Reload.make(services("next") as never)
      assert.deepStrictEqual(events, [{ _tag: "Reloaded", addresses: [], asksPassword: false }])
      assert.deepStrictEqual([...alive], ["next"])
      assert.deepStrictEqual(
        lines.map(({ level, message }) => [level, message]),
        [["Info", "reloaded"]]
      )
      releases[0]!()
      yield* Effect.yieldNow
      assert.deepStrictEqual([...alive], [])
    }).pipe(Effect.provide(Layer.mergeAll(layer, server, Events.layer)))
  })

  it.effect("releases the services that the server refuses, and logs the reason", () => {
    const { lines, layer } = captured()
    const { alive, server, services } = fake(true)
    return Effect.gen(function* () {
      const events: Array<Event.Event> = []
      yield* (yield* Events).listen(["ReloadFailed"], (event) => Effect.sync(() => void events.push(event)))
      yield* yield* Reload.make(services("next") as never)
      assert.deepStrictEqual(events, [{ _tag: "ReloadFailed", reason: '--listen: "x" is not right' }])
      assert.deepStrictEqual([...alive], [])
      assert.deepStrictEqual(lines, [
        {
          level: "Error",
          message: "not reloaded: the earlier settings stay in force",
          fields: { reason: '--listen: "x" is not right' }
        }
      ])
    }).pipe(Effect.provide(Layer.mergeAll(layer, server, Events.layer)))
  })

  it.effect("changes nothing if the settings cannot be read, and reads them again each time", () => {
    const { lines, layer } = captured()
    const { releases, server } = fake(false)
    let reads = 0
    const services = Layer.unwrap(
      Effect.suspend(() =>
        ++reads === 1
          ? Effect.fail(new BadSetting({ setting: "SOCKS_BIND", value: '"?"', expected: "true or false" }))
          : Effect.succeed(Config.layer())
      )
    )
    return Effect.gen(function* () {
      const reload = yield* Reload.make(services as never)
      yield* reload
      assert.lengthOf(releases, 0)
      assert.strictEqual(lines[0]?.fields.reason, 'SOCKS_BIND: "?" is not true or false')
      yield* reload
      assert.lengthOf(releases, 1)
      assert.strictEqual(lines[1]?.message, "reloaded")
    }).pipe(Effect.provide(Layer.mergeAll(layer, server, Events.layer)))
  })
})
