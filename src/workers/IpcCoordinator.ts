/**
 * A coordinator whose seat is in the primary.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Coordinator } from "../limits/Coordinator.ts"
import type { IpcChannel } from "./IpcChannel.ts"

/** The primary adds a worker to the members with the welcome, and removes it when the worker's process ends. */
export const layer = ({ welcome, send, onNews }: IpcChannel): Layer.Layer<Coordinator> =>
  Layer.succeed(Coordinator, { join: Effect.succeed({ welcome, report: send, follow: onNews }) })
