/**
 * The messages between the primary, which is the process that the operator started, and
 * its workers: plain values and arrays of numbers, an array of messages at a time.
 */
import * as Data from "effect/Data"
import { RuleTable, type RuleTableParts } from "../config/RuleTable.ts"
import { BadFile, BadSetting, BadSettings, ListenFailed, OpenProxyRefused } from "../Errors.ts"
import type { News, Report, Welcome } from "../limits/Coordinator.ts"
import type { Pair } from "../network/SelfSigned.ts"
import type { Refusal } from "../server/RunningServer.ts"
import type { Passed } from "../server/Systemd.ts"
import type { Happened, Interest } from "./EventForward.ts"
import type { Ping, Pong } from "./Heartbeat.ts"
import type { Piece } from "./Pieces.ts"
import type { Answer, Call, EndAnswer, EndCall, Part } from "./SessionQuery.ts"
import type { UsersChanged, UsersTaken } from "./UserChanges.ts"
import type { Measure, Measured } from "./WorkerMetrics.ts"

/** The addresses of a worker's listeners, as they are logged, and whether clients have to log in with a password. */
export interface Open {
  readonly addresses: ReadonlyArray<string>
  readonly asksPassword: boolean
}

/** What the settings are read from: the contents of files other than rules, and all rules. */
export interface Texts {
  readonly files: ReadonlyArray<readonly [path: string, text: string]>
  readonly rules: RuleTableParts
  /** The pair that the primary has made for all workers. */
  readonly selfSigned?: Pair | undefined
  /** The log level that an operator has set, in place of that of the settings. */
  readonly logLevel?: string | undefined
}

/** The texts before the first ones are read. */
export const nothing: Texts = { files: [], rules: new RuleTable().parts }

export type ToPrimary =
  /** The worker has started and waits for the welcome. */
  | { readonly _tag: "hello" }
  | Serving
  | Refused
  | Answer
  | Part
  | EndAnswer
  | Happened
  | Measured
  | Pong
  | Report
  | UsersTaken

/** The worker serves, at the start or after the reload with this number. */
export interface Serving extends Open {
  readonly _tag: "serving"
  readonly reload?: number | undefined
}

/** The worker failed to start, or failed at the reload with this number and goes on as before. */
export interface Refused {
  readonly _tag: "refused"
  readonly reload?: number | undefined
  readonly error: Written
}

export type ToWorker =
  | ({
      readonly _tag: "welcome"
      readonly texts: Texts
      /** Whether the worker listens on sockets of its own, with SO_REUSEPORT. */
      readonly reusePort: boolean
      readonly passed: ReadonlyArray<Passed>
      /** The kinds of events that have a listener. */
      readonly tags: Interest["tags"]
    } & Welcome)
  | { readonly _tag: "reload"; readonly id: number; readonly texts: Texts }
  /** Of the texts that follow. */
  | Piece
  | Call
  | EndCall
  | Interest
  | Measure
  | Ping
  | UsersChanged
  | News
  | { readonly _tag: "stop" }

/** An error with its fields; of a list of errors, each of them. */
interface Written {
  readonly _tag: string
  readonly message: string
  readonly errors?: ReadonlyArray<Written>
}

/** A worker failed by a defect. */
export class WorkerFault extends Data.TaggedError("WorkerFault")<{ readonly message: string }> {}

export const write = (error: Error & { readonly _tag?: string }): Written => ({
  ...error,
  _tag: error._tag ?? "WorkerFault",
  message: error.message,
  ...(error instanceof BadSettings && { errors: error.errors.map(write) })
})

/** The error of a message. */
export const read = (written: Written): Refusal | WorkerFault => {
  const [first, ...others] = written.errors?.flatMap((error) => made(listed, error)) ?? []
  if (written._tag === "BadSettings" && first) return new BadSettings({ errors: [first, ...others] })
  const [error] = made(single, written)
  return error ?? new WorkerFault({ message: written.message })
}

/** The class of each error. An error without a class here does not compile. */
type Classes<E extends { readonly _tag: string }> = {
  readonly [Tag in E["_tag"]]: new (
    fields: never
  ) => Extract<E, { readonly _tag: Tag }>
}

const single: Classes<Exclude<Refusal, BadSettings>> = { BadSetting, ListenFailed, OpenProxyRefused }
const listed: Classes<BadSettings["errors"][number]> = { BadFile, BadSetting }

/** The error, if it has one of these classes. */
const made = <E extends { readonly _tag: string }>(
  classes: Classes<E>,
  { _tag, message: _, ...fields }: Written
): ReadonlyArray<E> => (Object.hasOwn(classes, _tag) ? [new classes[_tag as E["_tag"]](fields as never)] : [])
