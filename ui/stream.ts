/**
 * The events that the dashboard shows as they happen. `EventSource` could not send the token but in its address.
 */
import { send } from "./api.ts"

/** A denial, as an event has it. */
export interface Denial {
  readonly at: number
  readonly verdict: string
  readonly rule: string
  readonly reason?: string
  readonly user?: string
  readonly client?: string
  readonly target?: string
}

/** An event of the server. */
export type ServerEvent = { readonly _tag: string } & Readonly<Record<string, unknown>>

const tags = "TargetDenied,NetworkBanned,BanLifted,Reloaded,ReloadFailed"

/** Follows the events until the signal, and connects again when the connection is lost. */
export const follow = async (
  signal: AbortSignal,
  onEvent: (event: ServerEvent) => void,
  onState: (isConnected: boolean) => void
): Promise<void> => {
  let pause = 1000
  while (!signal.aborted) {
    try {
      const { body } = await send(`/api/events?tags=${tags}`, { signal })
      onState(true)
      pause = 1000
      if (body) await read(body, onEvent)
    } catch {}
    if (signal.aborted) return
    onState(false)
    await new Promise((resolve) => setTimeout(resolve, pause))
    pause = Math.min(pause * 2, 30_000)
  }
}

/** The frames of server-sent events that this server writes: one line of data each. */
const read = async (
  body: ReadableStream<Uint8Array>,
  onEvent: (event: ServerEvent) => void
): Promise<void> => {
  const reader = body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .getReader()
  let rest = ""
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const frames = (rest + value).split("\n\n")
    rest = frames.pop() ?? ""
    for (const frame of frames) if (frame.startsWith("data: ")) onEvent(JSON.parse(frame.slice(6)))
  }
}
