/**
 * Waits for listening addresses that this machine does not have yet, such as the address of an interface that comes up
 * after the server starts.
 */
import { createServer } from "node:net"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { ListenSettings } from "../network/ListenSettings.ts"

/** Binds an address for a moment; returns the system's error code, or undefined on success. */
type Probe = (host: string) => Effect.Effect<string | undefined>

const interval = Duration.millis(250)

/**
 * Ends when this machine has all addresses with the option `wait`, or when their time is up. Listening on a missing
 * address fails afterwards.
 */
export const all = (listen: ListenSettings["Service"]["listen"], probe: Probe = bind): Effect.Effect<void> =>
  Effect.forEach(listen, (at) => one(at, probe), { concurrency: "unbounded", discard: true })

const one = Effect.fnUntraced(function* (at: ListenAddress.ListenAddress, probe: Probe) {
  const { wait } = ListenAddress.optionsOf(at)
  const place = ListenAddress.placeOf(ListenAddress.endpointOf(at))
  if (wait === undefined || place._tag !== "HostPort") return
  const isMissing = isAbsent(place.host, probe)
  if (!(yield* isMissing)) return
  const address = ListenAddress.format(place)
  yield* Effect.logWarning("a listening address is not available yet: waiting for it", {
    address,
    wait: Duration.format(wait)
  })
  const there = Effect.sleep(interval).pipe(
    Effect.andThen(isMissing),
    Effect.repeat({ until: (isMissing) => !isMissing }),
    Effect.andThen(Effect.logInfo("a listening address is available", { address }))
  )
  yield* Effect.timeoutOption(there, wait)
})

/** Whether this machine has no such address. */
export const isAbsent = (host: Host.Host, probe: Probe = bind): Effect.Effect<boolean> =>
  Effect.map(probe(Host.formatHost(host)), (code) => absent.has(code ?? ""))

/** The error codes for an address that the machine does not have, and for a name without addresses. */
const absent: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN", "ENODEV"])

/** Binds the address at a port that the system chooses. */
const bind: Probe = (host) =>
  Effect.callback((resume) => {
    const server = createServer((socket) => socket.destroy())
    server.once("error", ({ code }: NodeJS.ErrnoException) => resume(Effect.succeed(code)))
    server.listen({ host, port: 0, exclusive: true }, () =>
      server.close(() => resume(Effect.succeed(undefined)))
    )
  })
