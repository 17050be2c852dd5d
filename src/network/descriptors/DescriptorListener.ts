/**
 * A listening socket on a descriptor.
 */
import type { Pipes } from "./Pipes.ts"
import type { Poller, Watched } from "./Poller.ts"
import { again, isShortage, type System } from "./System.ts"

/** The most connections that are accepted before others have their turn. */
const mostAccepts = 4

interface Options {
  readonly system: System
  readonly poller: Poller
  readonly pipes: Pipes
  /** Takes an accepted descriptor. The address of the client is in the address region. */
  readonly onDescriptor: (fd: number) => void
  readonly onShortage: () => void
  readonly report: (defect: unknown) => void
}

export class DescriptorListener implements Watched {
  fd: number
  generation = 0
  isQueued = false
  private readonly options: Options

  constructor(fd: number, options: Options) {
    this.fd = fd
    this.options = options
  }

  onEvents(): void {
    const { system, poller, pipes, onDescriptor, onShortage } = this.options
    for (let count = 0; count < mostAccepts && this.fd >= 0; count++) {
      const accepted = system.accept(this.fd)
      if (accepted >= 0) onDescriptor(accepted)
      else if (accepted === again) return
      else if (isShortage(accepted)) {
        pipes.release()
        poller.shortage()
        onShortage()
        return
      }
      // Other errors are of a connection that is gone already (accept(2)).
    }
  }

  run(): void {}

  /** An exception of a connection does not end its listener. */
  crashed(defect: unknown): void {
    this.options.report(defect)
  }

  stopped(): void {
    this.close()
  }

  close(): void {
    if (this.fd < 0) return
    this.options.poller.forget(this)
    this.options.system.close(this.fd)
    this.fd = -1
  }
}
