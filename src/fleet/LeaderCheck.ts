/**
 * Whether a fleet can have a leader by these settings.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { BadSetting } from "../Errors.ts"
import * as PostgresUrl from "../usage/PostgresUrl.ts"
import type { UsageSettings } from "../usage/Settings.ts"
import type { FleetSettings } from "./Settings.ts"

/** The database that chooses the leader; undefined if the settings ask for none. */
export const database = ({
  fleet,
  fleetLeader,
  usageStore
}: Pick<FleetSettings["Service"], "fleet" | "fleetLeader"> &
  Pick<UsageSettings["Service"], "usageStore">): Effect.Effect<
  PostgresUrl.PostgresUrl | undefined,
  BadSetting
> => {
  if (!fleetLeader) return Effect.undefined
  if (fleet === undefined) return bad("possible without a fleet, which --fleet names")
  return usageStore._tag === "postgresql"
    ? Effect.succeed(Option.getOrUndefined(PostgresUrl.parse(Redacted.value(usageStore.url))))
    : bad("possible without a PostgreSQL that all machines have, which --usage-store names")
}

const bad = (expected: string) => new BadSetting({ setting: "--fleet-leader", value: "a leader", expected })
