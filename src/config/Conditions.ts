/**
 * The conditions that a rule can have, in the order in which `explain` names them.
 */
import * as Schema from "effect/Schema"
import { clients } from "./conditions/Clients.ts"
import { commands } from "./conditions/Commands.ts"
import type { Condition } from "./conditions/Condition.ts"
import { groups } from "./conditions/Groups.ts"
import { listeners } from "./conditions/Listeners.ts"
import { ports } from "./conditions/Ports.ts"
import { protocols } from "./conditions/Protocols.ts"
import { to } from "./conditions/Targets.ts"
import { users } from "./conditions/Users.ts"
import { when } from "./conditions/When.ts"

const conditions = { users, groups, clients, listeners, commands, protocols, to, ports, when }

type All = typeof conditions

/** The keys of conditions in a rule. */
export type Key = keyof All

/** A condition with several values holds if one value fits. A condition that is left out always holds. */
export type Values = { readonly [K in Key]?: ReadonlyArray<All[K]["item"]["Type"]> }

/** A value of any condition. */
export type Value = All[Key]["item"]["Type"]

/** Each condition with its key in a rule. Its values in a rule are of the condition's own type. */
export const list = Object.entries(conditions) as ReadonlyArray<
  readonly [key: Key, condition: Condition<Value, Schema.Constraint>]
>

/** The schema of one value, or of a list that is not empty. */
const some = <S extends Schema.Constraint>(item: S, description: string) =>
  Schema.ArrayEnsure(item)
    .check(Schema.isNonEmpty({ expected: "one value or more" }))
    .annotate({ description })
    .pipe(Schema.optionalKey)

/** The fields of a rule's schema. */
export const fields = Object.fromEntries(
  list.map(([key, { item, description }]) => [key, some(item, description)])
) as { readonly [K in Key]: ReturnType<typeof some<All[K]["item"]>> }
