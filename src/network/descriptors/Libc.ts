/**
 * The functions of libc that the descriptor transport calls, through koffi.
 *
 * Only this file knows koffi. It is an optional dependency, and pinned: `koffi.node.poll` is not
 * documented. koffi is loaded once for a process, as is libc.
 */
import { existsSync } from "node:fs"
import { isMainThread } from "node:worker_threads"
import * as Memory from "./Memory.ts"

/** A function of libc: numbers in, a number out; -1 for an error, with the code in `errno`. */
type Call = (...args: ReadonlyArray<number>) => number

export interface Libc {
  readonly memory: Memory.Memory
  /** The error of the last call that returned -1. To be read at once. */
  readonly errno: Int32Array
  readonly calls: Readonly<Record<keyof typeof signatures, Call>>
  /** Watches a descriptor with Node's own event loop. The callback may come once after the handle has closed. */
  readonly poll: (fd: number, options: { readonly readable: true }, callback: () => void) => PollHandle
}

type PollHandle = ReturnType<typeof import("koffi").node.poll>

// Addresses are numbers (`intptr_t`), which koffi passes on faster than objects.
const signatures = {
  socket: "int socket(int, int, int)",
  setsockopt: "int setsockopt(int, int, int, intptr_t, int)",
  getsockopt: "int getsockopt(int, int, int, intptr_t, intptr_t)",
  bind: "int bind(int, intptr_t, int)",
  listen: "int listen(int, int)",
  accept4: "int accept4(int, intptr_t, intptr_t, int)",
  connect: "int connect(int, intptr_t, int)",
  getsockname: "int getsockname(int, intptr_t, intptr_t)",
  read: "int read(int, intptr_t, int)",
  send: "int send(int, intptr_t, int, int)",
  sendto: "int sendto(int, intptr_t, int, int, intptr_t, int)",
  recvmmsg: "int recvmmsg(int, intptr_t, int, int, intptr_t)",
  sendmmsg: "int sendmmsg(int, intptr_t, int, int)",
  shutdown: "int shutdown(int, int)",
  close: "int close(int)",
  fcntl: "int fcntl(int, int, intptr_t)",
  pipe2: "int pipe2(intptr_t, int)",
  splice: "int splice(int, intptr_t, int, intptr_t, int, int)",
  epoll_create1: "int epoll_create1(int)",
  epoll_ctl: "int epoll_ctl(int, int, int, intptr_t)",
  epoll_wait: "int epoll_wait(int, intptr_t, int, int)"
} as const

/** Loads libc. Rejects with an error that says why the descriptor transport is not available. */
export const load = (): Promise<Libc> => {
  loading ??= open()
  return loading
}

/** Whether this is a system on which all tests have run with descriptors. */
export const isProven = (): boolean => process.platform === "linux" && process.arch === "x64" && !isMusl()

let loading: Promise<Libc> | undefined

const open = async (): Promise<Libc> => {
  if (process.platform !== "linux") throw new Error("only Linux has them")
  if (process.arch !== "x64" && process.arch !== "arm64") throw new Error(`not on ${process.arch}`)
  // A worker thread that ends with an open handle of koffi ends the process.
  if (!isMainThread) throw new Error("not in a worker thread")
  const { default: koffi } = await import("koffi").catch((error: NodeJS.ErrnoException) => {
    throw new Error(
      // The program is bundled as CommonJS, and the library is not.
      error.code === "ERR_MODULE_NOT_FOUND" || error.code === "MODULE_NOT_FOUND"
        ? "the package koffi is not installed"
        : `the package koffi cannot be loaded (${error.code ?? error.message})`
    )
  })
  const libc = koffi.load(isMusl() ? "libc.so" : "libc.so.6")
  const calls = Object.fromEntries(
    Object.entries(signatures).map(([name, signature]) => [name, libc.func(signature)])
  ) as unknown as Libc["calls"]
  const at = map(
    libc.func("void *mmap(intptr_t, size_t, int, int, int, intptr_t)"),
    libc.func("int mprotect(intptr_t, size_t, int)"),
    (pointer) => Number(koffi.address(pointer))
  )
  return {
    memory: Memory.cut(koffi.view(at, Memory.size), at),
    errno: new Int32Array(koffi.view(libc.func("void *__errno_location()")(), 4)),
    calls,
    // koffi calls outside of a callback scope of Node. There, each event that Node's own code emits from inside a call, such
    // as HTTP/2 on a reset, would run ticks and microtasks in the middle of that call. An immediate has a scope, and comes in
    // the same turn of the loop.
    poll: (fd, options, callback) => koffi.node.poll(fd, options, () => void setImmediate(callback))
  }
}

const isMusl = (): boolean =>
  existsSync(`/lib/ld-musl-${process.arch === "x64" ? "x86_64" : "aarch64"}.so.1`) &&
  (process.report.getReport() as { header?: { glibcVersionRuntime?: string } }).header
    ?.glibcVersionRuntime === undefined

/** At least as large as a page of any kernel. */
const page = 64 * 1024

const protection = { none: 0, readWrite: 3 }

/** MAP_PRIVATE and MAP_ANONYMOUS. */
const anonymous = 0x22

/** Maps the memory between two pages that cannot be touched. Returns its address. */
const map = (
  mmap: (...args: ReadonlyArray<number>) => unknown,
  mprotect: (...args: ReadonlyArray<number>) => number,
  addressOf: (pointer: unknown) => number
): number => {
  const start = addressOf(mmap(0, Memory.size + 2 * page, protection.none, anonymous, -1, 0)) + page
  const isMapped = start > page && Number.isSafeInteger(start)
  if (!isMapped || mprotect(start, Memory.size, protection.readWrite) !== 0) throw new Error("no memory")
  return start
}
