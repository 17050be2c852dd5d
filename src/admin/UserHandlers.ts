/**
 * The endpoints of users.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as UsageDays from "../usage/Days.ts"
import { UsageRecords } from "../usage/UsageRecords.ts"
import { printable } from "../wire/Text.ts"
import { AdminApi, Invalid, largestPage, NotFound, NotOffered, type UsageRow, type UserRow } from "./Api.ts"
import { audited } from "./AuditLog.ts"
import { Control } from "./Control.ts"
import { Operations, type UserStore } from "./Operations.ts"

export const layer = HttpApiBuilder.group(
  AdminApi,
  "users",
  Effect.fnUntraced(function* (handlers) {
    const { sessions } = yield* Control
    const { users, userStore } = yield* Operations
    const records = yield* UsageRecords
    const store: Effect.Effect<UserStore, NotOffered> = userStore ? Effect.succeed(userStore) : withoutStore
    const change = (name: string, run: (store: UserStore) => Effect.Effect<boolean>) =>
      Effect.flatMap(Effect.flatMap(store, run), (isFound) =>
        isFound ? Effect.void : Effect.fail(new NotFound({ message: `there is no user ${printable(name)}` }))
      )
    return handlers
      .handle("list", ({ query: { search = "", offset = 0, limit = 100 } }) =>
        Effect.gen(function* () {
          const part = search.toLowerCase()
          const chosen = (yield* users).filter(({ name }) => name.toLowerCase().includes(part))
          const page = chosen.slice(offset, offset + Math.min(limit, largestPage))
          const sums = new Map<string, Pick<UserRow, "sessions" | "sent" | "received">>()
          for (const { user = "", sent, received } of yield* sessions.read) {
            const sum = sums.get(user) ?? { sessions: 0, sent: 0, received: 0 }
            sums.set(user, {
              sessions: sum.sessions + 1,
              sent: sum.sent + sent,
              received: sum.received + received
            })
          }
          const rows = page.map(
            ({ name, groups, expires, isEnabled }): UserRow => ({
              name: printable(name),
              enabled: isEnabled,
              groups,
              expires: expires ?? null,
              ...(sums.get(printable(name)) ?? { sessions: 0, sent: 0, received: 0 })
            })
          )
          return HttpApiSchema.withHeaders({ body: rows, headers: { "x-total-count": chosen.length } })
        })
      )
      .handle("add", ({ payload: { name, password, groups = [] } }) =>
        Effect.flatMap(store, ({ add }) => add({ name, password, groups })).pipe(
          audited("add user", { user: name })
        )
      )
      .handle("change", ({ params: { name }, payload: { enabled } }) =>
        change(name, ({ enable }) => enable(name, enabled)).pipe(
          audited(enabled ? "enable user" : "disable user", { user: name })
        )
      )
      .handle("remove", ({ params: { name } }) =>
        change(name, ({ remove }) => remove(name)).pipe(audited("remove user", { user: name }))
      )
      .handle("usage", ({ query }) => usage(records, query))
  })
)

interface Days {
  readonly user?: string
  readonly from?: string
  readonly to?: string
}

/** The usage of users by day. A user of the answer is one of the records, so that its name is a text as it is. */
const usage = Effect.fnUntraced(function* (
  { isOn, read }: UsageRecords["Service"],
  { user, ...days }: Days
): Effect.fn.Return<ReadonlyArray<UsageRow>, Invalid | NotOffered> {
  if (!isOn) {
    return yield* new NotOffered({ message: "usage is not recorded: --state-dir or --usage-store does" })
  }
  const today = UsageDays.dayOf(yield* Clock.currentTimeMillis)
  const { from = UsageDays.monthStart(today, 1), to = today } = days
  if (![from, to].every(UsageDays.isDay)) {
    return yield* new Invalid({ message: "from and to are days such as 2026-11-22" })
  }
  const records = yield* Effect.mapError(
    read({ from, to, user }),
    ({ message }) => new NotOffered({ message })
  )
  return records.map(({ user = null, duration, ...record }) => ({
    ...record,
    user,
    seconds: duration / 1000
  }))
})

const withoutStore = Effect.suspend(() =>
  Effect.fail(
    new NotOffered({ message: "the users of this server come from its settings: change them there" })
  )
)
