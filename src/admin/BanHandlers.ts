/**
 * The endpoints of bans.
 */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import * as BanDecisions from "../bans/BanDecisions.ts"
import { type Ban, Bans } from "../bans/Bans.ts"
import * as Slices from "../base/Slices.ts"
import * as Parsers from "../config/Parsers.ts"
import { printable } from "../wire/Text.ts"
import { AdminApi, type BanRow, Invalid, NotFound } from "./Api.ts"
import { audited } from "./AuditLog.ts"
import * as Paced from "./Paced.ts"

export const layer = HttpApiBuilder.group(
  AdminApi,
  "bans",
  Effect.fnUntraced(function* (handlers) {
    const { ban, lift, list } = yield* Bans
    return (
      handlers
        // Not through the schema of the endpoint, which would take very many bans as a whole.
        .handleRaw("list", ({ query: { search = "", offset = 0, limit = Number.POSITIVE_INFINITY } }) =>
          Effect.gen(function* () {
            const part = search.toLowerCase()
            const rows = yield* Paced.run(Slices.map(yield* list, row))
            const chosen = yield* Paced.run(
              Slices.filter(rows, ({ network, reason }) =>
                `${network} ${reason}`.toLowerCase().includes(part)
              )
            )
            const page = chosen.slice(offset, offset + limit)
            return yield* Paced.list(page, { "x-total-count": String(chosen.length) })
          })
        )
        .handle("add", ({ payload: { network, duration = "1h", reason = "banned by operator" } }) =>
          Effect.gen(function* () {
            const banned = yield* networkOf(network)
            if (BanDecisions.isHere(banned.address)) {
              return yield* new Invalid({
                message: "loopback is never banned: the operator's own tools come from there"
              })
            }
            const time = yield* Effect.mapError(
              Effect.fromOption(Parsers.duration(duration)),
              () => new Invalid({ message: `"${printable(duration)}" is no duration such as 10m or 1h` })
            )
            yield* ban(banned, time, printable(reason))
            const text = IpNetwork.format(banned)
            // The latest is the last one.
            const made = (yield* list).findLast((other) => IpNetwork.format(other.network) === text)
            return made ? row(made) : yield* new Invalid({ message: `the ban of ${text} does not hold` })
          }).pipe(audited("ban", { network, duration, reason }))
        )
        .handle("lift", ({ params: { network } }) =>
          Effect.gen(function* () {
            const lifted = yield* lift(yield* networkOf(network))
            if (lifted.length > 0) return lifted.map(row)
            return yield* new NotFound({ message: `no address of ${printable(network)} is banned` })
          }).pipe(audited("lift ban", { network }))
        )
    )
  })
)

const row = ({ network, until, reason, failures }: Ban): BanRow => ({
  network: IpNetwork.format(network),
  until,
  reason,
  failures
})

const networkOf = (text: string): Effect.Effect<IpNetwork.IpNetwork, Invalid> =>
  Option.match(Parsers.network(text), {
    onNone: () =>
      Effect.fail(
        new Invalid({
          message: `"${printable(text)}" is no network such as 203.0.113.0/24 or 2001:db8::/32, nor an address`
        })
      ),
    onSome: Effect.succeed
  })
