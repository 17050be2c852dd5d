/**
 * The route that leads nowhere.
 */
import * as Effect from "effect/Effect"
import { NotAllowed } from "../Errors.ts"
import type { JudgedTarget, Route } from "./Route.ts"

const denied = ({ permitted: [{ decision }] }: JudgedTarget<never, never> | JudgedTarget) =>
  Effect.fail(new NotAllowed({ reason: "its route is deny", rule: decision.rule }))

export const route: Route = {
  connect: denied,
  listen: (to) =>
    "permitted" in to ? denied(to) : Effect.fail(new NotAllowed({ reason: "its route is deny" })),
  datagrams: ({ permitted: [{ decision }] }) =>
    Effect.fail(new NotAllowed({ reason: "its route is deny", rule: decision.rule }))
}
