/**
 * Addresses that this machine does not have yet, as that of an interface which
 * comes up later than the server.
 */
import { createServer } from "node:net"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { ListenSettings } from "../network/ListenSettings.ts"

/** Whether an address can be bound: the system's code, if it cannot. */
type Probe = (host: string) => Effect.Effect<string | undefined>

const interval = Duration.millis(250)

/** Ends when this machine has all of these addresses, or when their time is up. To bind a missing address fails then. */
export const all = (listen: ListenSettings["Service"]["listen"], probe: Probe = bind): Effect.Effect<void> =>
  Effect.forEach(listen, (at) => one(at, probe), { concurrency: "unbounded", discard: true })

const one = Effect.fnUntraced(function* (at: ListenAddress.ListenAddress, probe: Probe) {
  const { wait } = ListenAddress.optionsOf(at)
  const place = ListenAddress.placeOf(ListenAddress.endpointOf(at))
  if (wait === undefined || place._tag !== "HostPort") return
  const isMissing = Effect.map(probe(Host.formatHost(place.host)), (code) => absent.has(code ?? ""))
  if (!(yield* isMissing)) return
  const address = ListenAddress.format(place)
  yield* Effect.logWarning("a listening address is not there yet: it is waited for", {
    address,
    wait: Duration.format(wait)
  })
  const there = Effect.sleep(interval).pipe(
    Effect.andThen(isMissing),
    Effect.repeat({ until: (isMissing) => !isMissing }),
    Effect.andThen(Effect.logInfo("a listening address is there", { address }))
  )
  yield* Effect.timeoutOption(there, wait)
})

/** The codes for an address that is not there, and for a name without addresses yet. */
const absent: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN", "ENODEV"])

/** Binds the address for a moment, at a port that the system chooses. */
const bind: Probe = (host) =>
  Effect.callback((resume) => {
    const server = createServer((socket) => socket.destroy())
    server.once("error", ({ code }: NodeJS.ErrnoException) => resume(Effect.succeed(code)))
    server.listen({ host, port: 0, exclusive: true }, () =>
      server.close(() => resume(Effect.succeed(undefined)))
    )
  })
