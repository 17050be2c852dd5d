/**
 * Counts what happens in a server: by its events, and by its open sessions when metrics are read.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Bans } from "../bans/Bans.ts"
import { CurrentPhases } from "../base/Phases.ts"
import type { UpstreamState } from "../routes/UpstreamState.ts"
import { Events } from "../session/Events.ts"
import type { Census } from "../session/OpenSessions.ts"
import { SessionRegistry } from "../session/SessionRegistry.ts"
import { type Definition, ofCensus, ofFleet, ofServer, ofSessions, ofUpstreams } from "./Definitions.ts"
import { type Meters, mostMembers } from "./Meters.ts"
import { Family, read } from "./Series.ts"

/** What a machine of a fleet knows of the fleet. By default a server is of none. */
export const FleetMeasures = Context.Reference<
  | (Readonly<Record<Exclude<keyof typeof ofFleet, "leads">, () => number>> & {
      readonly machine: string
      /** Of a fleet without a leader there is no series, as an alert would take 0 for a leader that is gone. */
      readonly leads: (() => number) | undefined
    })
  | undefined
>("effect-socks/metrics/FleetMeasures", { defaultValue: () => undefined })

/** Counts the sessions of this process, and measures their phases, until the layer is released. */
export const sessions = (meters: Meters): Layer.Layer<never, never, Bans | Events | SessionRegistry> =>
  Layer.effect(
    CurrentPhases,
    Effect.gen(function* () {
      const { denials, logins, limits, context } = meters
      const { listen } = yield* Events
      const { list } = yield* SessionRegistry
      const { turnedAway } = yield* Bans
      yield* listen(["TargetDenied"], ({ verdict, rule }) => counted(denials, rule, verdict))
      yield* listen(["SessionEnded"], (event) => Effect.sync(() => meters.end(event)))
      yield* listen(["LoginSucceeded"], ({ method }) => counted(logins, method, "succeeded"))
      yield* listen(["LoginFailed"], ({ method }) => counted(logins, method, "failed"))
      yield* listen(["ClientTurnedAway"], ({ lack }) => counted(limits, lack))
      meters.open = () => Effect.runSyncWith(context)(list)
      let banned = () => Effect.runSyncWith(context)(turnedAway)
      read(ofSessions.banned, context, [], () => banned())
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          // The series stay, so that an exporter that ends later has them; the server does not.
          meters.countOpen()
          meters.open = () => []
          const last = banned()
          banned = () => last
        })
      )
      return meters.observer
    })
  )

/** Counts the bans and reloads of a server, in the process that decides about them. */
export const server = ({ context }: Meters): Layer.Layer<never, never, Bans | Events> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { listen } = yield* Events
      const { list } = yield* Bans
      const bans = new Family(ofServer.bansMade, context).cell()
      const reloads = new Family(ofServer.reloads, context)
      yield* listen(["NetworkBanned"], () => Effect.sync(() => void bans.value++))
      yield* listen(["Reloaded"], () => counted(reloads, "succeeded"))
      yield* listen(["ReloadFailed"], () => counted(reloads, "failed"))
      yield* present(() => [read(ofServer.bans, context, [], () => Effect.runSyncWith(context)(list).length)])
      const fleet = yield* FleetMeasures
      if (fleet === undefined) return
      yield* present(() => [
        read(ofFleet.machines, context, [fleet.machine], fleet.machines),
        read(ofFleet.lost, context, [fleet.machine], fleet.lost),
        read(ofFleet.failures, context, [fleet.machine], fleet.failures),
        read(ofFleet.unsent, context, [fleet.machine], fleet.unsent),
        ...(fleet.leads ? [read(ofFleet.leads, context, [fleet.machine], fleet.leads)] : [])
      ])
    })
  )

/** The numbers of open sessions and their limits, read when metrics are read. */
export const census = ({ context }: Meters, census: Effect.Effect<Census>): Layer.Layer<never> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const gauge = (name: keyof typeof ofCensus, get: (census: Census) => number | undefined) =>
        read(ofCensus[name], context, [], () => get(Effect.runSyncWith(context)(census)) ?? 0)
      yield* present(() => [
        gauge("sessions", ({ sessions }) => sessions),
        gauge("associations", ({ associations }) => associations),
        gauge("handshakes", ({ handshakes }) => handshakes),
        gauge("descriptors", ({ descriptors }) => descriptors),
        gauge("descriptorLimit", ({ limits }) => limits?.descriptors),
        gauge("sessionLimit", ({ limits }) => limits?.sessions),
        gauge("handshakeLimit", ({ limits }) => limits?.handshakes)
      ])
    })
  )

/** The upstreams of the routes in force, in the process of the sessions. Each reload may have others. */
export const upstreams = (
  meters: Meters,
  states: Effect.Effect<ReadonlyArray<UpstreamState>>
): Layer.Layer<never, never, Events> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { context } = meters
      const { listen } = yield* Events
      const failures = new Family(ofUpstreams.failures, context, mostMembers, undefined, true)
      yield* listen(["UpstreamFailed"], ({ route, member }) => counted(failures, route, member))
      let latest = new Map<string, UpstreamState>()
      const series = new Map<string, ReadonlyArray<() => void>>()
      const gauge = (key: string, definition: Definition, get: (state: UpstreamState) => number) => {
        const { route, member } = latest.get(key)!
        return read(definition, context, [route, member], () => {
          const state = latest.get(key)
          return state === undefined ? 0 : get(state)
        })
      }
      const update = (states: ReadonlyArray<UpstreamState>) => {
        latest = new Map(
          states.slice(0, mostMembers).map((state) => [`${state.route}\n${state.member}`, state])
        )
        for (const [key, removes] of series) {
          if (latest.has(key)) continue
          for (const remove of removes) remove()
          series.delete(key)
        }
        for (const key of latest.keys()) {
          if (series.has(key)) continue
          series.set(key, [
            gauge(key, ofUpstreams.up, ({ isUp }) => (isUp ? 1 : 0)),
            gauge(key, ofUpstreams.sessions, ({ sessions }) => sessions)
          ])
        }
      }
      meters.renew = () => update(Effect.runSyncWith(context)(states))
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          meters.renew = () => {}
          update([])
        })
      )
    })
  )

/** Has these series until the scope closes. */
const present = (register: () => ReadonlyArray<() => void>) =>
  Effect.acquireRelease(Effect.sync(register), (series) =>
    Effect.sync(() => {
      for (const remove of series) remove()
    })
  )

const counted = (family: Family, first: string, second?: string): Effect.Effect<void> =>
  Effect.sync(() => void family.cell(first, second).value++)
