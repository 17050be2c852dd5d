/**
 * The seat of a machine in a fleet: it counts for its members as a seat does, and with all other machines by leases.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type { News, Report } from "../limits/Coordinator.ts"
import { CoordinatorSeat, type Member } from "../limits/CoordinatorSeat.ts"
import * as ExchangeLoop from "./ExchangeLoop.ts"
import { channelOf, FleetChecks } from "./FleetChecks.ts"
import { FleetLeader, type Leader } from "./FleetLeader.ts"
import { FleetMembership } from "./FleetMembership.ts"
import { FleetShares } from "./FleetShares.ts"
import { FleetSlots } from "./FleetSlots.ts"
import { FleetStore } from "./FleetStore.ts"
import { FleetTokens } from "./FleetTokens.ts"
import type { FleetSettings } from "./Settings.ts"

/**
 * Takes the place of the seat below it for sessions, rates and bandwidth. The seat below counts all else, for this machine
 * alone.
 */
export const layer = (
  settings: FleetSettings["Service"]
): Layer.Layer<CoordinatorSeat, never, CoordinatorSeat | FleetMembership | FleetStore> =>
  Layer.effect(
    CoordinatorSeat,
    Effect.gen(function* () {
      const seat = yield* CoordinatorSeat
      const membership = yield* FleetMembership
      const { subscribe } = yield* FleetStore
      const slots = new FleetSlots<Member>(membership, settings.fleetLostSessions, (member, ruling) =>
        member.send(ruling)
      )
      const tokens = new FleetTokens<Member>(membership, settings.fleetLostRates, (member, answer) =>
        member.send(answer)
      )
      const shares = new FleetShares<Member>(membership, settings.fleetLostBandwidth, (member, share) =>
        member.send(share)
      )
      const leader = yield* FleetLeader
      const checks = leader && (yield* shareChecks(leader))
      const members = new Set<Member>()
      const untilNow = (): News => ({
        _tag: "until",
        at: membership.isAlone() ? null : membership.validUntil
      })
      membership.add({
        renew: (done) => done(true),
        lose: () => {},
        surrender: () => {},
        hold: (until) => {
          const at = until === Number.POSITIVE_INFINITY ? null : until
          for (const member of members) member.send({ _tag: "until", at })
        }
      })
      yield* Effect.orDie(
        subscribe(
          membership.keys.channel(membership.id),
          (text) => void (slots.notice(text) || shares.notice(text))
        )
      )
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          slots.end()
          shares.end()
        })
      )
      const sweep = Effect.sync(() => {
        slots.sweep()
        tokens.sweep()
        shares.sweep()
      })
      yield* Effect.forkScoped(Effect.schedule(sweep, Schedule.spaced("1 second")))
      return {
        ...seat,
        enter: (member: Member) => {
          members.add(member)
          const welcome = seat.enter(member)
          return { ...welcome, news: [...welcome.news, untilNow(), ...(checks?.enter(member) ?? [])] }
        },
        receive: (member: Member, report: Report) => {
          switch (report._tag) {
            case "ask":
            case "own":
            case "back":
              return slots.receive(member, report)
            case "token":
              return tokens.receive(member, report)
            case "enter":
            case "demand":
            case "leave":
            case "kept":
              return shares.receive(member, report)
            case "checked":
              return checks?.receive(member, report)
            default:
              return seat.receive(member, report)
          }
        },
        remove: (member: Member) => {
          members.delete(member)
          seat.remove(member)
          slots.remove(member)
          tokens.remove(member)
          shares.remove(member)
          checks?.remove(member)
        }
      }
    })
  )

/** Shares health checks with the other machines, until the scope closes. */
const shareChecks = Effect.fnUntraced(function* (leader: Leader) {
  const store = yield* FleetStore
  const { keys, id, now } = yield* FleetMembership
  const { wake, start } = yield* ExchangeLoop.make
  const checks = new FleetChecks<Member>({
    ...{ store, keys, machine: id, now, wake },
    send: (member, news) => member.send(news)
  })
  yield* Effect.orDie(store.subscribe(channelOf(keys), (text) => checks.receiveMessage(text)))
  yield* store.onConnect(() => checks.connected())
  leader.follow((leads) => checks.lead(leads))
  checks.lead(leader.leads())
  yield* start(checks.exchange)
  // What others have found, before the first check here.
  yield* Effect.ignore(checks.exchange)
  return checks
})
