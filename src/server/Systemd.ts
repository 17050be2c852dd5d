/**
 * The protocol between a service and systemd: passed sockets (sd_listen_fds(3)), and
 * the messages that the service is ready or stopping (sd_notify(3)).
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
  /** Its FileDescriptorName=. */
  readonly name: string | undefined
  /** The path of a socket in the file system. */
  readonly path: string | undefined
  /** Whether only this machine can connect to it; false where that is not known. */
  readonly isOurs: boolean
}

/** The sockets of this name, or of every name without one; none if they are meant for another process. */
export const passed = (name: string | undefined): ReadonlyArray<Passed> => {
  all ??= readAll()
  return named(all, name)
}

/** The sockets that have this name; without a name, all of them. */
export const named = (sockets: ReadonlyArray<Passed>, name: string | undefined): ReadonlyArray<Passed> =>
  name === undefined ? sockets : sockets.filter((socket) => socket.name === name)

/** Listeners, those of systemd with whether only this machine can connect to their sockets. */
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

/** Once only: they stay the same, and the tables of a busy machine are long. */
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

/** Where a descriptor listens; nothing if it is not there, or there is no telling. */
const placeOf = (descriptor: number): SocketTable.Place | undefined => {
  try {
    return SocketTable.placeOf(fstatSync(descriptor).ino)
  } catch {
    return undefined
  }
}

/** Says READY=1 when it is built, and STOPPING=1 when it is released. */
export const notifying: Layer.Layer<never> = Layer.effectDiscard(
  Effect.acquireRelease(
    Effect.suspend(() => notify("READY=1")),
    () => notify("STOPPING=1")
  )
)

/**
 * Nothing without NOTIFY_SOCKET. That is a datagram socket, which Node cannot
 * open: systemd's own program sends the message. Being another process than the
 * service's main one, it is heard only with NotifyAccess=all.
 */
const notify = (state: string): Effect.Effect<void> =>
  process.env.NOTIFY_SOCKET === undefined
    ? Effect.void
    : send(state).pipe(
        Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.fail("no end within 5 seconds") }),
        Effect.catch((reason) => Effect.logWarning("systemd was not told", { state, reason }))
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
