/**
 * The commands that see and steer a running server, over its admin listener. Their code is loaded when one of them is run.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { root } from "./Root.ts"
import * as Settings from "./Settings.ts"

const json = Flag.Boolean("json").pipe(
  Flag.withDescription("Print JSON, for programs"),
  Flag.withDefault(false)
)

const count = (name: string, description: string, initially: number) =>
  Flag.Int(name).pipe(
    Flag.withMetavar("COUNT"),
    Flag.withDescription(description),
    Flag.withDefault(initially)
  )

const text = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.optional)

const network = Argument.String("network").pipe(
  Argument.withDescription("A network such as 203.0.113.0/24, or an address")
)

/** What a command does, the first of these by default. */
const action = <const Actions extends readonly [string, ...Array<string>]>(actions: Actions) =>
  Argument.Literals("action", actions).pipe(
    Argument.withDescription(`What to do: ${actions.join(", ")} (default: ${actions[0]})`),
    Argument.withDefault(actions[0] as Actions[number])
  )

const sortKeys = ["startedAt", "sent", "received", "user", "client", "target", "id"] as const

const tool = Effect.promise(() => import("./AdminTool.ts"))

const sessions = Command.make(
  "sessions",
  {
    json,
    search: text("search", "TEXT", "Only sessions with this in a text of theirs"),
    sort: Flag.Literals("sort", sortKeys).pipe(
      Flag.withDescription("Order of the sessions (default: startedAt)"),
      Flag.withDefault("startedAt" as const)
    ),
    limit: count("limit", "The most sessions that are printed", 1000)
  },
  ({ search, ...asked }) =>
    Effect.flatMap(root, (given) =>
      Effect.flatMap(tool, (Tool) =>
        Tool.sessions(given, { ...asked, search: Option.getOrUndefined(search) })
      )
    )
).pipe(Command.withDescription("List the open sessions of a running server: --user NAME chooses a user's"))

const kill = Command.make(
  "kill",
  {
    json,
    ids: Argument.Int("id").pipe(
      Argument.withDescription("The number of a session, as sessions lists it"),
      Argument.variadic({ min: 1 })
    )
  },
  (asked) => Effect.flatMap(root, (given) => Effect.flatMap(tool, (Tool) => Tool.kill(given, asked)))
).pipe(Command.withDescription("End sessions of a running server, by resetting their connections"))

const bans = Command.make("bans", { json }, (asked) =>
  Effect.flatMap(root, (given) => Effect.flatMap(tool, (Tool) => Tool.bans(given, asked)))
).pipe(Command.withDescription("List the banned networks of a running server"))

const ban = Command.make(
  "ban",
  {
    json,
    network,
    for: Flag.String("for").pipe(
      Flag.withMetavar("DURATION"),
      Flag.withDescription("Such as 10m or 1h"),
      Flag.withDefault("1h")
    ),
    reason: text("reason", "TEXT", "The reason, for the log and the list of bans"),
    yes: Flag.Boolean("yes").pipe(
      Flag.withDescription("Ban also a network larger than a /8, or a /16 of IPv6"),
      Flag.withDefault(false)
    )
  },
  ({ reason, ...asked }) =>
    Effect.flatMap(root, (given) =>
      Effect.flatMap(tool, (Tool) => Tool.ban(given, { ...asked, reason: Option.getOrUndefined(reason) }))
    )
).pipe(Command.withDescription("Ban a network from a running server: its connections are refused"))

const unban = Command.make("unban", { json, network }, (asked) =>
  Effect.flatMap(root, (given) => Effect.flatMap(tool, (Tool) => Tool.unban(given, asked)))
).pipe(Command.withDescription("Lift every ban of an address in a network"))

const users = Command.make(
  "users",
  {
    json,
    action: action(["list", "add", "disable", "enable", "remove", "password"]),
    name: Argument.String("name").pipe(Argument.withDescription("The user's name"), Argument.optional),
    groups: Flag.String("group").pipe(
      Flag.withMetavar("NAME"),
      Flag.withDescription("With add, a group of the user; more than once for several"),
      Flag.atLeast(0)
    )
  },
  ({ name, ...asked }) =>
    Effect.flatMap(root, (given) =>
      Effect.flatMap(tool, (Tool) => Tool.users(given, { ...asked, name: Option.getOrUndefined(name) }))
    )
).pipe(
  Command.withDescription(
    "List the users of a running server, and change those of its users file. add and password take a password from standard " +
      "input. The sessions of a user who is disabled or removed end"
  )
)

const upstreams = Command.make("upstreams", { json }, (asked) =>
  Effect.flatMap(root, (given) => Effect.flatMap(tool, (Tool) => Tool.upstreams(given, asked)))
).pipe(Command.withDescription("List the upstreams of a running server, and whether they work"))

const fleet = Command.make(
  "fleet",
  {
    json,
    action: action(["machines", "sessions", "kill", "drain", "undrain", "reload"]),
    machine: Argument.String("machine").pipe(
      Argument.withDescription("The name of a machine, as machines lists it"),
      Argument.optional
    ),
    ids: Argument.Int("id").pipe(
      Argument.withDescription("For kill: the number of a session, as sessions lists it"),
      Argument.variadic()
    ),
    limit: count("limit", "The most sessions that are printed", 1000)
  },
  ({ machine, ...asked }) =>
    Effect.flatMap(root, (given) =>
      Effect.flatMap(tool, (Tool) => Tool.fleet(given, { ...asked, machine: Option.getOrUndefined(machine) }))
    )
).pipe(
  Command.withDescription(
    "List the machines of a running server's fleet and all of their sessions, end sessions, drain a machine, and reload " +
      "one machine after the other"
  )
)

const top = Command.make(
  "top",
  {
    json,
    interval: count("interval", "Seconds between two looks", 2),
    times: count("times", "With --json, the number of looks; 0 for no end", 0)
  },
  (asked) =>
    Effect.flatMap(root, (given) =>
      Effect.flatMap(
        Effect.promise(() => import("./Top.ts")),
        (Top) => Top.run(given, asked)
      )
    )
).pipe(
  Command.withDescription(
    "Watch the sessions of a running server: arrows choose one, k ends it, s sorts, r reverses, / searches, q quits"
  )
)

const healthcheck = Command.make("healthcheck", {}, () =>
  Effect.flatMap(root, (given) =>
    Effect.gen(function* () {
      const { values } = yield* Settings.read(given)
      const HealthCheck = yield* Effect.promise(() => import("../server/HealthCheck.ts"))
      yield* HealthCheck.run(values)
    })
  )
).pipe(
  Command.withDescription(
    "Speak a handshake to each listener of the settings, as a client does. " +
      "Exit codes: 0 all of them answer, 1 one does not. The same as --healthcheck, for containers"
  )
)

/** The commands, in the order in which they are listed. */
export const commands = [sessions, kill, bans, ban, unban, users, upstreams, fleet, top, healthcheck] as const
