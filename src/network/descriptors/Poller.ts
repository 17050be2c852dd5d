/**
 * The event loop of descriptors: one epoll descriptor, which Node's own event loop watches.
 *
 * A connection is identified by its descriptor and a generation, as a number is used again as soon as its descriptor
 * is closed. An event of an older generation is dropped.
 *
 * A turn is bounded, so that Node's timers and streams run in time: connections that are ready come first, in turn,
 * then a few new ones. What is left goes on in the next turn of Node's loop.
 */
import type { Libc } from "./Libc.ts"
import * as Memory from "./Memory.ts"
import { nameOf, type System } from "./System.ts"

/** What a poller runs. */
export interface Task {
  /** Whether the task waits for its turn. Only the poller changes it. */
  isQueued: boolean
  readonly run: () => void
  /** An exception came out of `run` or `onEvents`: ends this task alone. */
  readonly crashed: (defect: unknown) => void
}

/** A descriptor that a poller watches. */
export interface Watched extends Task {
  readonly fd: number
  /** Given by the poller. */
  generation: number
  /** Takes the events of `epoll_wait`. */
  readonly onEvents: (events: number) => void
  /** The poller closes: closes the descriptor. */
  readonly stopped: () => void
}

/** The most rounds of `epoll_wait` in a turn. */
const mostRounds = 16

/** Milliseconds after which no other round begins. */
const budget = 2

/** Milliseconds until listeners try again when there was no descriptor for a connection. */
const shortagePause = 100

export class Poller {
  readonly system: System
  /** The time in milliseconds. */
  private readonly now: () => number
  private readonly epoll: number
  private readonly watched: Array<Watched | undefined> = []
  private readonly listeners = new Set<Watched>()
  private count = 0
  private generations = 0
  private tasks: Array<Task> = []
  /** Listeners with new connections in this round. */
  private accepting: Array<Watched> = []
  private isRunning = false
  private scheduled: NodeJS.Immediate | undefined
  private pause: NodeJS.Timeout | undefined
  private handle: ReturnType<Libc["poll"]> | undefined

  constructor(system: System, poll: Libc["poll"], now = () => performance.now()) {
    this.system = system
    this.now = now
    this.epoll = system.epoll()
    if (this.epoll < 0) throw new Error(`no epoll descriptor (${nameOf(this.epoll)})`)
    this.handle = poll(this.epoll, { readable: true }, () => this.turn())
    this.handle.unref()
  }

  /** Watches a connection. Returns a negated error code if that fails. */
  watch(one: Watched): number {
    one.generation = this.nextGeneration()
    const result = this.system.watchConnection(this.epoll, one.fd, one.generation)
    if (result === 0) this.add(one)
    return result
  }

  /** Watches a listener. Its `onEvents` is called after the connections have had their turn. */
  watchListener(one: Watched): number {
    one.generation = this.nextGeneration()
    const result = this.system.watchListener(this.epoll, one.fd, one.generation)
    if (result === 0) {
      this.listeners.add(one)
      this.add(one)
    }
    return result
  }

  /** Watches a UDP socket, whose events come as long as datagrams wait. */
  watchDatagrams(one: Watched): number {
    one.generation = this.nextGeneration()
    const result = this.system.watchListener(this.epoll, one.fd, one.generation)
    if (result === 0) this.add(one)
    return result
  }

  /** To be called right before the descriptor is closed. */
  forget(one: Watched): void {
    if (this.watched[one.fd] !== one) return
    this.watched[one.fd] = undefined
    this.listeners.delete(one)
    if (--this.count === 0) this.handle?.unref()
    if (this.pause !== undefined) this.listenAgain()
  }

  /** Gives the descriptor up without closing it. */
  release(one: Watched): void {
    this.system.unwatch(this.epoll, one.fd)
    this.forget(one)
  }

  /** Has a task run in this turn or the next. */
  enqueue(task: Task): void {
    if (task.isQueued) return
    task.isQueued = true
    this.tasks.push(task)
    if (!this.isRunning) this.schedule()
  }

  /** Stops all listeners until a descriptor closes, or a moment has passed: they would be reported again at once. */
  shortage(): void {
    if (this.pause !== undefined) return
    for (const one of this.listeners) this.system.setListening(this.epoll, one.fd, one.generation, false)
    this.pause = setTimeout(() => this.listenAgain(), shortagePause)
  }

  /** Ends all connections and listeners, and gives the epoll descriptor back. */
  close(): void {
    for (const one of this.watched) one?.stopped()
    this.runTasks(Number.POSITIVE_INFINITY)
    clearTimeout(this.pause)
    clearImmediate(this.scheduled)
    // Before the descriptor, as the handle would watch a closed one.
    this.handle?.close()
    this.handle = undefined
    this.system.close(this.epoll)
  }

  private nextGeneration(): number {
    this.generations = (this.generations + 1) | 0
    return this.generations
  }

  private add(one: Watched): void {
    this.watched[one.fd] = one
    if (this.count++ === 0) this.handle?.ref()
  }

  private listenAgain(): void {
    clearTimeout(this.pause)
    this.pause = undefined
    for (const one of this.listeners) this.system.setListening(this.epoll, one.fd, one.generation, true)
  }

  private schedule(): void {
    if (this.handle === undefined) return
    this.scheduled ??= setImmediate(() => {
      this.scheduled = undefined
      this.turn()
    })
  }

  private turn(): void {
    if (this.handle === undefined) return
    const end = this.now() + budget
    this.isRunning = true
    try {
      for (let round = 0; round < mostRounds; round++) {
        const events = this.round(end)
        if ((events === 0 && this.tasks.length === 0) || this.now() > end) break
      }
    } finally {
      this.isRunning = false
      if (this.tasks.length > 0) this.schedule()
    }
  }

  private round(end: number): number {
    const { system } = this
    const count = system.wait(this.epoll, Memory.mostEvents)
    for (let index = 0; index < count; index++) {
      const one = this.watched[system.descriptorAt(index)]
      if (one === undefined || one.generation !== system.generationAt(index)) continue
      if (this.listeners.size > 0 && this.listeners.has(one)) this.accepting.push(one)
      else this.deliver(one, system.eventsAt(index))
    }
    this.runTasks(end)
    if (this.accepting.length > 0) {
      const accepting = this.accepting
      this.accepting = []
      for (const one of accepting) if (this.watched[one.fd] === one) this.deliver(one, 0)
    }
    return count
  }

  private deliver(one: Watched, events: number): void {
    try {
      one.onEvents(events)
    } catch (defect) {
      one.crashed(defect)
    }
  }

  private runTasks(end: number): void {
    const tasks = this.tasks
    if (tasks.length === 0) return
    this.tasks = []
    let done = 0
    for (; done < tasks.length; done++) {
      if (done > 0 && this.now() > end) break
      const task = tasks[done]!
      task.isQueued = false
      try {
        task.run()
      } catch (defect) {
        task.crashed(defect)
      }
    }
    if (done < tasks.length) this.tasks = tasks.slice(done).concat(this.tasks)
  }
}
