/**
 * The protocol of systemd for services: passed sockets (sd_listen_fds(3)), and the notifications that the service is
 * ready or stopping (sd_notify(3)).
 */
import { spawn } from "node:child_process"
import { fstatSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { ListenSettings } from "../network/ListenSettings.ts"
import * as Reach from "../policy/Reach.ts"
import * as OpenProxyCheck from "./OpenProxyCheck.ts"
import * as SocketTable from "./SocketTable.ts"

/** The first descriptor that systemd passes. */
const first = 3

export interface Passed {
  readonly fd: number
  /** The socket's FileDescriptorName=. */
  readonly name: string | undefined
  /** The path of a Unix-domain socket. */
  readonly path: string | undefined
  /** Whether only this machine can connect to the socket; false if that is not known. */
  readonly isOurs: boolean
}

/** The sockets that systemd passed to this process: with this name, or all of them without a name. */
export const passed = (name: string | undefined): ReadonlyArray<Passed> => {
  all ??= readAll()
  return named(all, name)
}

/** The sockets with this name; without a name, all of them. */
export const named = (sockets: ReadonlyArray<Passed>, name: string | undefined): ReadonlyArray<Passed> =>
  name === undefined ? sockets : sockets.filter((socket) => socket.name === name)

/** Completes the listeners of systemd: whether only this machine can connect to their sockets. */
export const known = (
  listen: ListenSettings["Service"]["listen"],
  sockets: ReadonlyArray<Passed> = passed(undefined)
): ListenSettings["Service"]["listen"] =>
  listen.map((at) =>
    ListenAddress.mapPlace(at, (place) => {
      if (place._tag !== "Systemd") return place
      const own = named(sockets, place.name)
      return ListenAddress.systemd(place.name, own.length > 0 && own.every(({ isOurs }) => isOurs))
    })
  )

/** The passed sockets, read once: they never change, and the tables of a busy machine are long. */
let all: ReadonlyArray<Passed> | undefined

const readAll = (): ReadonlyArray<Passed> => {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = "" } = process.env
  const count =
    /^\d{1,4}$/.test(LISTEN_FDS ?? "") && LISTEN_PID === String(process.pid) ? Number(LISTEN_FDS) : 0
  const names = LISTEN_FDNAMES.split(":")
  return Array.from({ length: count }, (_, index) => {
    const place = placeOf(first + index)
    return {
      fd: first + index,
      name: names[index],
      path: place?._tag === "UnixPathAddress" ? place.path : undefined,
      isOurs: place !== undefined && Reach.isOurs(place, OpenProxyCheck.currentMode)
    }
  })
}

/** The address of a descriptor's socket; undefined if the descriptor is not open, or the address is not known. */
const placeOf = (descriptor: number): SocketTable.Place | undefined => {
  try {
    return SocketTable.placeOf(fstatSync(descriptor).ino)
  } catch {
    return undefined
  }
}

/** Sends READY=1 when the layer is built, and STOPPING=1 when it is released. */
export const notifying: Layer.Layer<never> = Layer.effectDiscard(
  Effect.acquireRelease(
    Effect.suspend(() => notify("READY=1")),
    () => notify("STOPPING=1")
  )
)

/**
 * Sends a state to systemd; does nothing without NOTIFY_SOCKET, a Unix datagram socket. Node cannot open such sockets,
 * so the program systemd-notify sends the state. As it is not the main process of the service, the unit needs
 * NotifyAccess=all.
 */
const notify = (state: string): Effect.Effect<void> =>
  process.env.NOTIFY_SOCKET === undefined
    ? Effect.void
    : send(state).pipe(
        Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.fail("no end within 5 seconds") }),
        Effect.catch((reason) => Effect.logWarning("systemd could not be notified", { state, reason }))
      )

/** Fails with the reason. */
const send = (state: string): Effect.Effect<void, string> =>
  Effect.callback((resume) => {
    const child = spawn("systemd-notify", [state], { stdio: "ignore" })
    child.once("error", ({ message }) => resume(Effect.fail(message)))
    child.once("exit", (code) => {
      resume(code === 0 ? Effect.void : Effect.fail(`systemd-notify ended with ${code}`))
    })
    return Effect.sync(() => child.kill())
  })
