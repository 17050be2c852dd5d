/**
 * Standard output and standard error of a server: writing to them never blocks
 * and never fails, whatever is at their other end.
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs"
import { Socket } from "node:net"
import { isatty } from "node:tty"
import * as Outlet from "./Outlet.ts"

/** The descriptors that were terminals when this process began. */
const terminals: ReadonlyArray<number> = [0, 1, 2].filter((fd) => isatty(fd))

/** Whether standard output is a terminal, or was one when this process began. */
export const isTerminal: boolean = terminals.includes(1)

/** Whether standard output was a terminal that is closed now. */
export const hasLostTerminal = (): boolean => isTerminal && !isatty(1)

/** Made at the first use, as most commands write without it. */
const lazily = (fd: number) => {
  let outlet: Outlet.Outlet | undefined
  return {
    get: () => {
      outlet ??= Outlet.make({ sink: sinkOf(fd) })
      return outlet
    },
    end: (done: () => void) => (outlet ? outlet.end(patience, done) : done())
  }
}

/** Milliseconds that the last lines may take. */
const patience = 1000

const output = lazily(1)
const errors = lazily(2)

export const stdout = output.get
export const stderr = errors.get

/** Limits each write, so that the lines of several processes on the same pipe are not mixed. */
export const share = (): void => {
  for (const outlet of [stdout(), stderr()]) outlet.limit(pipeSize)
}

/**
 * PIPE_BUF of pipe(7), up to which writes are not mixed up: that of Linux. Lines of usual length get by with the 512 of
 * others.
 */
const pipeSize = 4096

/** Ends the process with this exit code when all is written, or cannot be for a second. */
export const exit = (code: number): void => output.end(() => errors.end(() => exitNow(code)))

/** Ends the process with this exit code when its reader has taken all that a command printed, or is gone. */
export const exitPrinted = (code: number): void =>
  void process.stdout.on("error", () => {}).write("", () => exit(code))

/** Ends the process with this exit code. */
export const exitNow = (code: number): never => {
  // Node gives terminals their modes back at the end, and aborts where it cannot.
  for (const fd of terminals) if (!isatty(fd)) closeSync(fd)
  return process.exit(code)
}

/** Written to, a descriptor that is no pipe, socket or terminal does not block for long. */
const sinkOf = (fd: number): Outlet.Sink => {
  const target = unblocked(fd)
  return (bytes, offset, length) => {
    const written = writeSync(target, bytes, offset, length)
    if (written === 0) throw busy
    return written
  }
}

const busy = Object.assign(new Error("nothing was written"), { code: "EAGAIN" })

/**
 * A pipe or a terminal is opened once more, as O_NONBLOCK holds for everyone who
 * got the same descriptor. Not a file: it would be written from its beginning.
 */
const unblocked = (fd: number): number => {
  const status = fstatSync(fd)
  if (status.isFIFO() || isatty(fd)) {
    try {
      return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
    } catch {
      // The pipe is another user's, or there is no /proc.
    }
  }
  if (status.isFIFO() || status.isSocket()) held.push(new Socket({ fd, readable: false }).unref())
  return fd
}

/** Sockets that set O_NONBLOCK. They are kept, as a collected one would close its descriptor. */
const held: Array<Socket> = []
