/**
 * The mistakes in routes that show only together with rules and with the parameters of user names.
 */
import type { AuthSettings } from "../auth/Settings.ts"
import * as UserParameters from "../auth/UserParameters.ts"
import { nameOf, nowhere } from "../config/Rule.ts"
import { having, type Rules, routesOf } from "../config/RuleTable.ts"
import { BadSetting } from "../Errors.ts"
import { printable } from "../wire/Text.ts"
import * as SessionKey from "./SessionKey.ts"
import type { RouteSettings } from "./Settings.ts"

type Options = Pick<RouteSettings["Service"], "routes"> &
  Pick<AuthSettings["Service"], "userParameters"> & { readonly rules: Rules }

/** All mistakes. */
export const of = (options: Options): ReadonlyArray<BadSetting> => [
  ...unknownRoutes(options),
  ...misnamed(options),
  ...uncommon(options),
  ...mislabelled(options)
]

/** Rules that name no route. */
const unknownRoutes = ({ routes, rules }: Options): ReadonlyArray<BadSetting> => {
  const known = new Set([...routes.map(({ name }) => name), "direct", nowhere])
  const errors: Array<BadSetting> = []
  if ([...routesOf(rules)].every((name) => known.has(name))) return errors
  for (const [index, rule] of having(rules, "route")) {
    if (known.has(rule.route!)) continue
    const value = `route "${printable(rule.route!)}" of ${nameOf(rule, index)}`
    const expected = `one of ${[...known].join(", ")}`
    errors.push(new BadSetting({ setting: "--rules", path: [index, "route"], value, expected }))
  }
  return errors
}

/** Routes of one name, and routes that no rule names. */
const misnamed = ({ routes, rules }: Options): ReadonlyArray<BadSetting> => {
  const names = routes.map(({ name }) => name)
  const taken = routesOf(rules)
  return names.flatMap((name, index) => {
    const bad = (expected: string) =>
      new BadSetting({ setting: "--routes", path: [index, "name"], value: `"${name}"`, expected })
    if (names.indexOf(name) !== index) return [bad("the only route of its name")]
    return taken.has(name) ? [] : [bad("the route of any rule: a rule takes it by route")]
  })
}

/** What sessions of a route are to have in common, and what is no parameter. */
const uncommon = ({ routes, userParameters }: Options): ReadonlyArray<BadSetting> => {
  const known = SessionKey.commonIn(userParameters)
  return routes.flatMap(({ stickyBy }, index) =>
    known.includes(stickyBy)
      ? []
      : [
          new BadSetting({
            ...{ setting: "--routes", path: [index, "sticky-by"], value: `"${stickyBy}"` },
            expected: `one of ${known.join(", ")}: user-parameters declares more`
          })
        ]
  )
}

/** Labels that no session can ask for. */
const mislabelled = ({ routes, userParameters }: Options): ReadonlyArray<BadSetting> =>
  routes.flatMap(({ members }, index) => {
    const labels = new Map(
      members.flatMap((member) => [...member.labels]).map((each) => [each.join("="), each])
    )
    return [...labels].flatMap(([text, [name, value]]) => {
      const declared = userParameters.find((each) => each.name === name)
      if (declared !== undefined && UserParameters.isValue(declared, value)) return []
      const expected = declared
        ? "of the type of its parameter, so that no session can ask for it"
        : "of a parameter of user-parameters, by which sessions ask for it"
      return [
        new BadSetting({ setting: "--routes", path: [index, "members"], value: `label "${text}"`, expected })
      ]
    })
  })
