/**
 * What a service and systemd tell each other: which sockets it is passed
 * (sd_listen_fds(3)), and when it is ready and stopping (sd_notify(3)).
 */
import { spawn } from "node:child_process"
import { fstatSync, readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** The first descriptor that systemd passes. */
const first = 3

export interface Passed {
  readonly fd: number
  /** Its FileDescriptorName=. */
  readonly name: string | undefined
  /** Where in the file system it is, if it is. */
  readonly path: string | undefined
}

/** The sockets of this name, of any for none; no sockets if they are meant for another process. */
export const passed = (name: string | undefined): ReadonlyArray<Passed> => {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = "" } = process.env
  const count =
    /^\d{1,4}$/.test(LISTEN_FDS ?? "") && LISTEN_PID === String(process.pid) ? Number(LISTEN_FDS) : 0
  const names = LISTEN_FDNAMES.split(":")
  return Array.from({ length: count }, (_, index) => index)
    .filter((index) => name === undefined || names[index] === name)
    .map((index) => ({ fd: first + index, name: names[index], path: pathOf(first + index) }))
}

/** Where in the file system a passed socket is; nothing if it is not there, or there is no telling. */
const pathOf = (descriptor: number): string | undefined => {
  try {
    const { ino } = fstatSync(descriptor)
    // Num RefCount Protocol Flags Type St Inode Path (proc_net(5)); Node knows the path only of sockets it bound.
    const line = readFileSync("/proc/net/unix", "utf8")
      .split("\n")
      .find((line) => line.split(/ +/)[6] === String(ino))
    return line?.split(/ +/).slice(7).join(" ")
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
