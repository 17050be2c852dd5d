/**
 * The metrics: names, units and labels. `docs/metrics.md` has the same table.
 */

/**
 * One metric. `merge` is how the values of several processes become one: by default their sum; `max` or `min`; or `worker`,
 * each process with a label of its own.
 */
export interface Definition {
  readonly name: string
  readonly type: "Counter" | "Gauge" | "Histogram"
  readonly help: string
  readonly labels: ReadonlyArray<string>
  readonly merge?: "max" | "min" | "worker"
  /** Of a histogram: the upper bounds of its buckets. */
  readonly bounds?: ReadonlyArray<number>
}

/** Seconds, from a local network to the longest time limits. */
const latencies = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** Seconds, from one request to a day. */
const durations = [0.1, 1, 10, 60, 600, 3600, 21_600, 86_400]

/** Seconds, from the accuracy of timers on. */
const delays = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

const counter = (name: string, help: string, labels: ReadonlyArray<string> = []): Definition => ({
  name: `effect_socks_${name}_total`,
  type: "Counter",
  help,
  labels
})

const gauge = (
  name: string,
  help: string,
  {
    labels = [],
    merge
  }: { readonly labels?: ReadonlyArray<string>; readonly merge?: Definition["merge"] } = {}
): Definition => ({ name: `effect_socks_${name}`, type: "Gauge", help, labels, ...(merge && { merge }) })

const seconds = (name: string, help: string, bounds = latencies): Definition => ({
  name: `effect_socks_${name}_seconds`,
  type: "Histogram",
  help,
  labels: [],
  bounds
})

/** The metrics of sessions. */
export const ofSessions = {
  begun: counter("sessions_begun", "Sessions whose request was admitted.", ["protocol", "command"]),
  ended: counter("sessions_ended", "Sessions that ended, with those that made no request.", [
    "protocol",
    "outcome"
  ]),
  routes: counter("route_sessions", "Sessions that ended, by their route and the member of its pool.", [
    "route",
    "member"
  ]),
  duration: seconds("session_duration", "Duration of sessions whose request was admitted.", durations),
  handshake: seconds("handshake", "Time from the accepted connection to the request, where there was one."),
  resolve: seconds("resolve", "Time to resolve the name of a target, where the name has an address."),
  dial: seconds("dial", "Time to connect to a target, where the connection succeeded."),
  firstByte: seconds("first_byte", "Time from the connection to the target to the first byte of the target."),
  denials: counter("denials", "Targets that the policy denied.", ["rule", "verdict"]),
  logins: counter("logins", "Logins by password and by certificate.", ["method", "result"]),
  bytes: counter("bytes", "Relayed bytes: sent to targets, and received from targets.", ["direction"]),
  userBytes: counter("user_bytes", "Relayed bytes of authenticated users.", ["user", "direction"]),
  datagrams: counter("datagrams", "Datagrams of associations.", ["result"]),
  limits: counter("limits_reached", "Sessions and clients that a limit refused or ended.", ["limit"]),
  banned: counter("banned_connections", "Connections that were refused because of a ban.")
} as const

/** The metrics of the present sessions, read when metrics are read. */
export const ofCensus = {
  sessions: gauge("sessions", "Open sessions whose request was admitted."),
  associations: gauge("associations", "Open UDP associations, which are sessions, too."),
  handshakes: gauge("handshakes", "Connections without an admitted request."),
  descriptors: gauge("descriptors_used", "Descriptors in use by connections.", { merge: "worker" }),
  descriptorLimit: gauge("descriptors_limit", "Descriptors that connections may use.", { merge: "worker" }),
  sessionLimit: gauge("sessions_limit", "Limit of open sessions of a process.", { merge: "worker" }),
  handshakeLimit: gauge("handshakes_limit", "Limit of handshakes of a process.", { merge: "worker" })
} as const

const ofMember = { labels: ["route", "member"] }

/** The metrics of upstreams: a series for each member of a route. */
export const ofUpstreams = {
  up: gauge(
    "upstream_up",
    "1 while sessions use an upstream, 0 while a process leaves it alone, because it fails.",
    {
      ...ofMember,
      merge: "min"
    }
  ),
  sessions: gauge("upstream_sessions", "Open sessions through an upstream.", ofMember),
  failures: counter(
    "upstream_failures",
    "Failures of an upstream, for sessions and health checks.",
    ofMember.labels
  )
} as const

/** The metrics of the server as a whole. */
export const ofServer = {
  bans: gauge("bans", "Banned networks."),
  bansMade: counter("bans", "Bans that were made or changed."),
  reloads: counter("reloads", "Reloads of the settings.", ["result"])
} as const

/** The metrics of a process. */
export const ofProcess = {
  info: gauge("info", "1, with the version of effect-socks, the transport in use and the version of Node.", {
    labels: ["version", "transport", "node"],
    merge: "max"
  }),
  startTime: gauge("start_time_seconds", "Start of the process, in seconds since the epoch.", {
    merge: "worker"
  }),
  cpu: { ...counter("cpu_seconds", "CPU time of the process."), merge: "worker" },
  memory: gauge("memory_bytes", "Memory of the process.", { labels: ["kind"], merge: "worker" }),
  delay: {
    ...seconds("event_loop_delay", "Delay of a timer, measured ten times a second.", delays),
    merge: "worker"
  }
} as const satisfies Readonly<Record<string, Definition>>

const machine = ["machine"]

/** The metrics of a machine of a fleet, with its name. */
export const ofFleet = {
  machines: gauge("fleet_machines", "Machines of the fleet, as this one has seen last.", { labels: machine }),
  lost: gauge("fleet_lost", "1 while the machine has no leases, as the fleet's store does not answer.", {
    labels: machine
  }),
  failures: counter("fleet_failures", "Exchanges with the fleet's store that had no reply.", machine),
  unsent: gauge("fleet_unsent_bytes", "Bytes that quotas count and the fleet's store does not have yet.", {
    labels: machine
  }),
  leads: gauge("fleet_leads", "1 while the machine leads its fleet, else 0. With --fleet-leader only.", {
    labels: machine
  })
} as const

/** All metrics. */
export const all: ReadonlyArray<Definition> = [
  ofSessions,
  ofCensus,
  ofUpstreams,
  ofServer,
  ofProcess,
  ofFleet
].flatMap((group): ReadonlyArray<Definition> => Object.values(group))
