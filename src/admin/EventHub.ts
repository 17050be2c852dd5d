/**
 * The streams of events. Streams that ask for the same are one listener and get the same bytes, so that many of them
 * cost a session no more than one. They are written four times a second at most, with so many events. A stream that is
 * not read misses events, and is closed in the end.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type * as Event from "../session/Event.ts"
import { type Events, makeBuffer } from "../session/Events.ts"
import { TooManyStreams } from "./Api.ts"

/** The most streams at a time. */
export const mostStreams = 100

/** The most events that a stream is sent in each quarter of a second. */
const capacity = 256
const pause = "250 millis"

/** Below the time after which proxies and this listener close a silent connection. */
const heartbeat = 15_000

/** Bytes that wait for a stream's reader. Beyond them the stream misses events. */
const mostWaiting = 256 * 1024

/** Milliseconds after which a stream is closed whose reader does not read. */
const patience = 20_000

/** What a stream asks for. Streams of the same name ask for the same. */
export interface Subject {
  readonly name: string
  readonly tags: ReadonlyArray<Exclude<Event.Tag, "EventsMissed">>
  readonly isAsked: (event: Event.Event) => boolean
  /** The event as a part of the stream. */
  readonly textOf: (event: Event.Event) => string
  /** The begin of the stream, and a sign of life. */
  readonly alive: string
}

/** The connection to a reader. */
export interface Output {
  readonly write: (bytes: Uint8Array) => void
  /** Bytes that were written and are not sent yet. */
  readonly waiting: () => number
  readonly close: () => void
}

export interface EventHub {
  /** Writes the events of a subject to an output, until the scope closes. */
  readonly follow: (subject: Subject, output: Output) => Effect.Effect<void, TooManyStreams, Scope.Scope>
}

interface Stream {
  readonly output: Output
  missed: number
  /** When the output had too much waiting for the first time; undefined while the reader reads. */
  stalledAt: number | undefined
}

interface Group {
  readonly scope: Scope.Closeable
  readonly streams: Set<Stream>
}

/** Makes the hub, whose streams end with this scope at the latest. */
export const make = Effect.fnUntraced(function* ({
  listen
}: Events["Service"]): Effect.fn.Return<EventHub, never, Scope.Scope> {
  const parent = yield* Effect.scope
  const groups = new Map<string, Group>()
  let open = 0

  /** Writes to all streams of a group. Returns how many were closed, because nobody reads them. */
  const send = (
    streams: ReadonlySet<Stream>,
    { textOf }: Subject,
    text: string,
    count: number,
    now: number
  ) => {
    const bytes = utf8.encode(text)
    let closed = 0
    for (const stream of streams) {
      const { output } = stream
      if (output.waiting() > mostWaiting) {
        stream.missed += count
        stream.stalledAt ??= now
        if (now - stream.stalledAt < patience) continue
        closed++
        output.close()
      } else if (stream.missed > 0) {
        output.write(utf8.encode(textOf({ _tag: "EventsMissed", count: stream.missed }) + text))
        stream.missed = 0
        stream.stalledAt = undefined
      } else output.write(bytes)
    }
    return closed
  }

  const writeTo = Effect.fnUntraced(function* (group: Group, subject: Subject, text: string, count: number) {
    const closed = send(group.streams, subject, text, count, yield* Clock.currentTimeMillis)
    if (closed > 0)
      yield* Effect.logWarning("admin: streams of events are closed: nobody reads them", { closed })
  })

  /** Begins to listen for a group, as long as it has streams. */
  const begin = Effect.fnUntraced(function* (subject: Subject) {
    const group: Group = { scope: Scope.forkUnsafe(parent), streams: new Set() }
    groups.set(subject.name, group)
    const buffer = makeBuffer(capacity)
    yield* Scope.provide(
      listen(subject.tags, (event) => (subject.isAsked(event) ? buffer.put(event) : Effect.void)),
      group.scope
    )
    yield* Scope.provide(
      listen(["EventsMissed"], (event) => buffer.put(event)),
      group.scope
    )
    const written = Effect.flatMap(buffer.take, (events) =>
      writeTo(group, subject, events.map(subject.textOf).join(""), events.length)
    )
    const living = Effect.delay(
      Effect.suspend(() => writeTo(group, subject, subject.alive, 0)),
      heartbeat
    )
    yield* Effect.forkIn(Effect.forever(Effect.delay(written, pause)), group.scope)
    yield* Effect.forkIn(Effect.forever(living), group.scope)
    return group
  })

  const leave = (subject: Subject, group: Group, stream: Stream) =>
    Effect.suspend(() => {
      open--
      group.streams.delete(stream)
      if (group.streams.size > 0) return Effect.void
      groups.delete(subject.name)
      return Scope.close(group.scope, Exit.void)
    })

  return {
    follow: (subject, output) =>
      Effect.uninterruptible(
        Effect.gen(function* () {
          if (open >= mostStreams) {
            return yield* new TooManyStreams({ message: `${mostStreams} streams of events are open already` })
          }
          open++
          const stream: Stream = { output, missed: 0, stalledAt: undefined }
          const group = groups.get(subject.name) ?? (yield* begin(subject))
          group.streams.add(stream)
          yield* Effect.addFinalizer(() => leave(subject, group, stream))
          output.write(utf8.encode(subject.alive))
        })
      )
  }
})

const utf8 = new TextEncoder()
