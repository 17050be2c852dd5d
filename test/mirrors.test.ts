/**
 * That the tests of a source are found by its name: `src/room/TheName.ts` has
 * `test/room/TheName.test.ts` or, with a whole program or real sockets,
 * `test/e2e/the-name.test.ts`. Both may be several, as `TheName.something.test.ts`.
 * Otherwise it stands in a list here.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"

/** Without logic of their own: types, tables of settings, and what only passes on. */
const bare = [
  ...[
    "admin/Api",
    "admin/Operations",
    "cli/Root",
    "auth/Identity",
    "auth/PasswordHashes",
    "base/Compiler",
    "auth/StoredUsers",
    "base/KeyedHash",
    "commands/CommandContext",
    "limits/RateShares",
    "metrics/Settings"
  ],
  ...[
    "fleet/Faults",
    "fleet/FleetStore",
    "fleet/HashSharing",
    "fleet/Leases",
    "fleet/Script",
    "policy/Access",
    "policy/Decision",
    "protocols/Protocol",
    "routes/upstreams/Kind",
    "routes/upstreams/Kinds",
    "session/Event"
  ],
  ...[
    "index",
    "testing/index",
    "workers/WorkerVariable",
    "wire/Decoder",
    "network/Sockets",
    "network/RouteResolvers",
    "network/Source",
    "network/Transport",
    "network/UdpSocket",
    "network/UdpSockets",
    "cli/Settings"
  ]
]

/** Tested through what they are a part of, by the name of that test. */
const elsewhere: Readonly<Record<string, string>> = {
  "admin/AdminServer": "e2e/admin",
  "admin/Client": "e2e/admin.commands",
  "cli/AdminCommands": "e2e/admin.commands",
  "cli/AdminTool": "e2e/admin.commands",
  "server/HealthCheck": "e2e/admin.commands",
  "server/Drain": "e2e/http2-connection",
  "admin/Clash": "e2e/admin.events",
  "admin/ExplainQuestion": "e2e/admin",
  "admin/AuditLog": "e2e/admin",
  "admin/BanHandlers": "e2e/admin",
  "admin/Control": "e2e/admin",
  "admin/EventHandlers": "e2e/admin.events",
  "admin/EventResponse": "e2e/admin.events",
  "admin/Dispatch": "e2e/admin.readers",
  "admin/Paced": "admin/SessionPage",
  "admin/AdminListener": "e2e/admin.hostile",
  "admin/Assets": "e2e/admin.hostile",
  "admin/Readiness": "e2e/admin",
  "admin/ServerHandlers": "e2e/admin",
  "admin/SessionHandlers": "e2e/admin",
  "admin/SettingsUsers": "e2e/admin.users",
  "admin/UserHandlers": "e2e/admin.users",
  "base/HttpClient": "e2e/otlp",
  "base/Version": "e2e/admin",
  "auth/Authenticated": "session/Revalidation",
  "auth/HashingThreads": "auth/Hashing",
  "auth/ParameterLogin": "auth/UserParameters",
  "auth/LoginLog": "bans/Bans.server",
  "auth/UsersCheck": "auth/UsersSource",
  "auth/UsersFileReader": "auth/UsersSource",
  "auth/UsersRefresh": "auth/UsersSource",
  "auth/UserStore": "e2e/users-file-store",
  "bans/BanReplica": "limits/Coordinator",
  "bans/BanUpdate": "bans/BanDecisions",
  "bans/FailedLoginLog": "bans/Bans.server",
  "bans/LoginGuard": "bans/Bans",
  "bans/Tally": "bans/LoginThrottle",
  "base/Ints": "base/ListTable",
  "base/OwnScope": "e2e/upstream-datagrams",
  "base/TextHash": "routes/Choice",
  "cli/AccessFlags": "cli/Explain",
  "cli/Serve": "e2e/program",
  "cli/Setup": "e2e/reload",
  "cli/Metering": "e2e/metrics",
  "cli/Observing": "e2e/otlp",
  "cli/OtlpExport": "e2e/otlp",
  "cli/Worker": "e2e/workers",
  "commands/Command": "server/Connection",
  "commands/ForwardOrigin": "commands/OriginPool",
  "base/Fields": "session/Session",
  "base/Phases": "metrics/Counting",
  "config/Conditions": "config/Rule",
  "metrics/Definitions": "metrics/Counting",
  "metrics/Exposition": "metrics/Merge",
  "metrics/Meters": "metrics/Counting",
  "metrics/ProcessMetrics": "metrics/Counting",
  "metrics/Series": "metrics/Counting",
  "server/Metering": "metrics/Counting",
  "config/ProblemErrors": "config/ConfigFile",
  "config/RuleSymbols": "config/RuleTable",
  "config/SymbolIndex": "policy/Ruleset",
  "config/conditions/Term": "policy/Ruleset",
  "config/Schemas": "config/ConfigFile",
  "config/Setting": "config/Section",
  "admin/FleetHandlers": "e2e/fleet.balanced",
  "admin/FleetQuestions": "e2e/fleet.balanced",
  "admin/FleetUserChanges": "e2e/fleet.shared",
  "admin/ServerStatus": "e2e/admin",
  "fleet/BanWords": "fleet/FleetBans",
  "fleet/FleetSharing": "e2e/fleet.shared",
  "fleet/ExchangeLoop": "e2e/fleet.shared",
  "fleet/FleetCluster": "e2e/fleet.leader",
  "fleet/FleetLimits": "fleet/FleetShares",
  "fleet/Gather": "fleet/Membership",
  "fleet/LimitSlots": "fleet/FleetSlots",
  "fleet/SlotCalls": "fleet/FleetSlots",
  "fleet/SlotRecalls": "fleet/FleetSlots",
  "fleet/SlotRenewals": "fleet/FleetSlots",
  "fleet/SlotReports": "fleet/FleetSlots",
  "fleet/SlotRequests": "fleet/FleetSlots",
  "fleet/RedisCalls": "e2e/redis-store",
  "fleet/RedisClient": "e2e/redis-store",
  "fleet/RedisLinks": "e2e/redis-store",
  "fleet/LastSeen": "e2e/fleet.alone",
  "fleet/Replies": "e2e/fleet.hostile",
  "fleet/StoreInfo": "e2e/redis-places",
  "fleet/scripts/AddUsage": "e2e/fleet.scripts",
  "fleet/scripts/Checks": "e2e/fleet.scripts",
  "fleet/scripts/ExchangeBans": "e2e/fleet.scripts",
  "fleet/scripts/GuessTable": "e2e/fleet.bounds",
  "fleet/scripts/ListBans": "e2e/fleet.scripts",
  "fleet/scripts/ListMachines": "e2e/fleet.scripts",
  "fleet/scripts/Salt": "e2e/fleet.scripts",
  "fleet/scripts/UserChanges": "e2e/fleet.scripts",
  "fleet/FleetMembership": "e2e/fleet",
  "fleet/FleetSeat": "e2e/fleet",
  "fleet/MemoryDatabase": "e2e/redis-store",
  "fleet/MemoryStore": "fleet/Membership",
  "fleet/scripts/AcquireSlots": "e2e/redis-store",
  "fleet/scripts/Beat": "e2e/redis-store",
  "fleet/scripts/Begin": "e2e/redis-store",
  "fleet/scripts/PutSlots": "e2e/redis-store",
  "fleet/scripts/RenewSlots": "e2e/redis-store",
  "fleet/scripts/SlotTable": "e2e/redis-store",
  "fleet/scripts/TakeShare": "e2e/redis-store",
  "fleet/scripts/TakeTokens": "e2e/redis-store",
  "library/Accounts": "library/examples",
  "library/AdminOperations": "library/Admin",
  "library/Connection": "e2e/socket-server",
  "library/Services": "library/Server",
  "library/Sessions": "library/Server",
  "library/Steering": "library/Admin",
  "limits/Admission": "session/SessionRegistry.limits",
  "limits/ByteCharge": "session/SessionRegistry.limits",
  "limits/CoordinatorMember": "limits/Coordinator",
  "limits/CoordinatorSeat": "limits/Coordinator",
  "limits/Descriptors": "e2e/shortage",
  "limits/KeyLease": "limits/SlotLease",
  "limits/OpenFiles": "e2e/shortage",
  "limits/Reservation": "session/SessionRegistry.limits",
  "limits/ServerLimits": "session/SessionRegistry.limits",
  "limits/SessionBandwidth": "commands/Connect",
  "limits/SharedCounters": "limits/AccountLimits",
  "limits/SlotAllocator": "limits/SlotLease",
  main: "e2e/early-signals",
  codeCache: "e2e/program",
  "base/InspectorAddresses": "e2e/inspector",
  "network/Binder": "commands/Bind",
  "network/descriptors/DatagramBatch": "network/descriptors/DescriptorUdpSockets",
  "network/descriptors/DatagramEndpoints": "network/descriptors/DescriptorUdpSockets",
  "network/descriptors/MessageTable": "network/descriptors/DescriptorUdpSockets",
  "network/descriptors/DescriptorListener": "network/descriptors/Poller",
  "network/descriptors/DescriptorSockets": "e2e/transports",
  "network/descriptors/Libc": "e2e/transports",
  "network/descriptors/Outbox": "network/descriptors/DescriptorTransport",
  "network/descriptors/Pipes": "network/descriptors/DescriptorTransport",
  "network/descriptors/SelfCheck": "e2e/transports",
  "network/descriptors/System": "network/descriptors/DescriptorTransport",
  "network/BodyRelay": "e2e/http-long-bodies",
  "network/CertificateSubject": "protocols/TlsHandshake",
  "network/DnsCache": "network/Resolver",
  "network/DnsStream": "e2e/name-servers",
  "network/Http2Exchange": "protocols/http/Http2",
  "network/Http2Stream": "protocols/http/Http2",
  "routes/Labels": "routes/Pool",
  "routes/MemberStates": "routes/Pool",
  "routes/RouteNames": "e2e/name-servers",
  "routes/RouteProblems": "routes/RouteOptions",
  "config/EgressSource": "routes/Egress",
  "network/HttpConnection": "protocols/http/Http",
  "network/HttpForward": "commands/Forward",
  "network/HttpOrigin": "commands/OriginPool",
  "network/HttpOutput": "commands/Forward",
  "network/HttpResponseHeads": "protocols/http/HttpBounds",
  "network/HttpPump": "commands/Forward",
  "network/NodeSockets": "e2e/tcp-dial",
  "network/NodeUdpSockets": "udp/DatagramRelay",
  "network/Peer": "server/RunningServer",
  "network/Pseudonym": "commands/Forward",
  "network/QuietTime": "commands/Forward",
  "network/RelayPair": "network/Relay",
  "wire/HttpFraming": "protocols/http/Smuggling",
  "policy/AutoConfig": "policy/AutoConfigScript",
  "policy/ClauseIndex": "policy/Ruleset.property",
  "policy/Facts": "policy/Ruleset.property",
  "policy/PartialEvaluation": "policy/Ruleset.property",
  "policy/RuleTerms": "policy/Ruleset",
  "protocols/http/Request": "protocols/http/Http",
  "protocols/http/Authenticate": "protocols/http/Http",
  "protocols/socks5/Socks5": "protocols/Detect",
  "routes/Chain": "routes/Upstreams",
  "routes/Conversation": "routes/Upstreams",
  "routes/Direct": "network/Dialer",
  "routes/Datagrams": "e2e/upstream-datagrams",
  "routes/Listen": "e2e/upstream-datagrams",
  "routes/HealthCheck": "routes/Pool",
  "routes/UpstreamLog": "routes/Pool",
  "routes/RouteTable": "routes/RouteOptions",
  "routes/upstreams/Socks4": "routes/Upstreams",
  "routes/upstreams/Socks5": "routes/Upstreams",
  "server/AccessQuestion": "cli/Explain",
  "server/AuthLayer": "auth/Authenticator",
  "server/Explaining": "cli/Explain",
  "server/Composition": "server/RunningServer.reload",
  "server/Generation": "server/Reload",
  "server/Handlers": "server/RunningServer",
  "server/CurrentGeneration": "server/RunningServer.reload",
  "server/ListenBackend": "e2e/listener",
  "server/Listeners": "server/RunningServer.reload",
  "server/Streams": "protocols/http/Http2",
  "server/SocketTable": "e2e/unix",
  "session/EventLog": "session/Events",
  "session/EventSources": "session/Events",
  "session/OpenSessions": "session/SessionRegistry",
  "testing/Layers": "testing/Connection",
  "testing/Network": "library/Server",
  "testing/Peer": "testing/Connection",
  "testing/Upstream": "routes/Upstreams",
  "udp/Association": "commands/Associate",
  "udp/ClientEndpoint": "udp/DatagramRelay",
  "udp/DatagramMeter": "udp/DatagramRelay",
  "udp/RuleUses": "udp/DatagramRelay",
  "udp/TargetSockets": "udp/DatagramRelay",
  "session/SessionSnapshot": "e2e/workers.events",
  "cli/UsageFlags": "cli/Usage",
  "usage/ReportFormats": "usage/Report",
  "usage/SqlStore": "usage/SqliteClient",
  "usage/Stores": "usage/SqliteClient",
  "workers/InspectorBlock": "e2e/inspector",
  "workers/EventInterest": "workers/EventForward",
  "workers/IpcChannel": "e2e/workers",
  "workers/IpcCoordinator": "e2e/workers.counts",
  "workers/ListenPreflight": "e2e/workers.faults",
  "workers/Outbox": "e2e/workers",
  "workers/Pool": "e2e/workers",
  "workers/Primary": "e2e/workers",
  "workers/ProcessRole": "e2e/workers",
  "workers/MessageRouter": "e2e/workers.counts",
  "workers/SessionQuery": "e2e/shortage",
  "workers/Start": "e2e/workers"
}

const root = join(import.meta.dirname, "..")

const names = (directory: string, ending: string): ReadonlyArray<string> =>
  readdirSync(join(root, directory), { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length))

const sources = names("src", ".ts")
const mirrors = new Set(
  [...names("test", ".test.ts"), ...names("test", ".types.ts")].map((name) => name.replace(/\.[^/]*$/, ""))
)

/** Whether there are tests of this name, in the room of the source or among those of whole programs. */
const hasTests = (name: string): boolean => {
  const words = name.replace(/^.*\//, "").replace(/(?<=[a-z\d])(?=[A-Z])/g, "-")
  return mirrors.has(name) || mirrors.has(`e2e/${words.toLowerCase()}`)
}

/** The settings of each room, which `config/Section` and `docs` go through. */
const isTable = (name: string) => /(^|\/)(Listen|Name|Transport)?Settings$/.test(name)

describe("each source", () => {
  it("has tests of its name, or is in a list that names them", () => {
    assert.deepStrictEqual(
      sources
        .filter((name) => !hasTests(name) && !isTable(name) && !bare.includes(name) && !(name in elsewhere))
        .map((name) => `src/${name}.ts has no test/${name}.test.ts`),
      []
    )
  })

  it("is in no list needlessly", () => {
    const listed = [...bare, ...Object.keys(elsewhere)]
    assert.deepStrictEqual(
      listed.filter((name) => hasTests(name) || !sources.includes(name)),
      []
    )
    assert.deepStrictEqual(
      Object.values(elsewhere).filter((name) => !existsSync(join(root, "test", `${name}.test.ts`))),
      []
    )
  })
})

it("runs its properties in one way, by support/property.ts", () => {
  const byHand = /\bfc\.(assert|check)\(/
  assert.deepStrictEqual(
    names("test", ".ts").filter((name) =>
      byHand.test(readFileSync(join(root, "test", `${name}.ts`), "utf8"))
    ),
    []
  )
})
