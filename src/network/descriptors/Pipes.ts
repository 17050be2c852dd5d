/**
 * Pipes, through which the kernel moves bytes from one connection to another.
 */
import type { System } from "./System.ts"

/** Bytes that a pipe takes: so much may wait of a connection whose other side is slow. */
export const pipeSize = 1024 * 1024

/** All pipes of a process. Without one, bytes are copied. */
const most = 64

/** Milliseconds after which pipes are closed that are not in use. */
const keptFor = 5000

/** An empty pipe. */
export interface Pipe {
  readonly reader: number
  readonly writer: number
}

export class Pipes {
  private readonly system: System
  private readonly free: Array<Pipe> = []
  private count = 0
  private timer: NodeJS.Timeout | undefined
  /** Whether the system has refused to splice. */
  isRefused = false

  constructor(system: System) {
    this.system = system
  }

  /** Undefined if all are in use, or there is no descriptor for one. */
  take(): Pipe | undefined {
    if (this.isRefused) return undefined
    const pipe = this.free.pop()
    if (pipe !== undefined || this.count === most) return pipe
    if (this.system.pipe(pipeSize) !== 0) return undefined
    this.count++
    return { reader: this.system.pipeReader, writer: this.system.pipeWriter }
  }

  /** Takes an empty pipe back. */
  giveBack(pipe: Pipe): void {
    this.free.push(pipe)
    this.timer ??= setTimeout(() => this.release(), keptFor).unref()
  }

  /** Closes a pipe that may hold bytes. */
  close({ reader, writer }: Pipe): void {
    this.count--
    this.system.close(reader)
    this.system.close(writer)
  }

  /** Closes the pipes that are not in use. */
  release(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    for (const pipe of this.free.splice(0)) this.close(pipe)
  }
}
