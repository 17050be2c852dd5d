/**
 * The settings of a fleet: the store that its machines share, and what holds on a machine without it.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Parsers from "../config/Parsers.ts"
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"
import * as FleetUrl from "./FleetUrl.ts"

const words = ["share", "deny", "keep"] as const

const withoutStore = (limits: string, keep: string, from = "From the end of its leases on") =>
  Setting.word({
    description:
      `${limits} on a machine without the fleet's store. ${from}, share is an equal part by the ` +
      `number of machines last seen, but at least one; deny is nothing more; keep is ${keep}`,
    metavar: "WORD",
    words,
    default: "share"
  })

export class FleetSettings extends Section.makeStartOnly<FleetSettings>()("effect-socks/fleet/Settings", {
  fleet: Setting.single<Redacted.Redacted | undefined>({
    description:
      "Redis 7 or Valkey that the machines of a fleet share. Limits then hold for all machines together. " +
      "The store must evict no keys (maxmemory-policy noeviction). With rediss:// its certificate is checked, by the " +
      "authority of ?ca=FILE or those that Node knows; &cert=FILE&key=FILE is a certificate of this machine",
    metavar: "URL",
    read: (text) => Option.map(FleetUrl.parse(text), () => Redacted.make(text)),
    expected:
      "redis://USER:PASSWORD@HOST:PORT/DATABASE, rediss:// with TLS (?ca=FILE&cert=FILE&key=FILE), or " +
      "redis+unix:///PATH?db=DATABASE",
    json: { type: "string", pattern: "^redis(s|\\+unix)?://" },
    default: undefined,
    defaultText: "none",
    // The URL can hold a password.
    isSecret: true
  }),
  fleetPrefix: Setting.single<string>({
    description: "Beginning of all keys in the fleet's store. Each fleet has its own",
    metavar: "WORD",
    read: (text) => (/^(?!off$)[\w.:-]{1,64}$/.test(text) ? Option.some(text) : Option.none()),
    expected: "1 to 64 letters, digits and . : _ -",
    json: { type: "string", pattern: "^(?!off$)[\\w.:-]{1,64}$" },
    default: "effect-socks",
    defaultText: "effect-socks"
  }),
  fleetMachine: Setting.single<string>({
    description: "Name of this machine in its fleet. auto is the name of the host",
    metavar: "NAME",
    read: (text) => (/^(?!off$)[\w.:-]{1,255}$/.test(text) ? Option.some(text) : Option.none()),
    expected: "1 to 255 letters, digits and . : _ -, or auto",
    json: { type: "string", pattern: "^(?!off$)[\\w.:-]{1,255}$" },
    default: "auto",
    defaultText: "auto"
  }),
  fleetLease: Setting.single<Duration.Duration>({
    description:
      "Time for which leases hold that are not renewed. It is the same on all machines, which renew three times in " +
      "it. So much later others have what a machine had that is gone, and a store that has forgotten leases anew",
    metavar: "DURATION",
    read: (text) =>
      Option.filter(
        Parsers.duration(text),
        (lease) => Duration.toMillis(lease) >= 1000 && Duration.toMillis(lease) <= 60_000
      ),
    expected: "a duration from 1s to 60s",
    json: { type: "string", pattern: "^\\d{1,9}(\\.\\d{1,3})?(ms|s|m)$" },
    default: Duration.seconds(6),
    defaultText: "6s"
  }),
  fleetLeader: Setting.toggle(
    "Let one machine of the fleet check the upstreams for all machines, and sum up and remove old usage. The machines " +
      "elect that one by the PostgreSQL of --usage-store. By default each machine does all of that itself",
    false
  ),
  fleetLostSessions: withoutStore("Sessions", "what the machine had leased last"),
  fleetLostRates: withoutStore(
    "New sessions a second",
    "as many as in the last second before",
    "From the first call on that has no answer within a second"
  ),
  fleetLostQuotas: withoutStore("What is left of quotas", "all that is left, by what the machine knows"),
  fleetLostBandwidth: withoutStore("Bandwidth of users, rules and all", "the last share")
}) {}
