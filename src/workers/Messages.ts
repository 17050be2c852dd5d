/**
 * What the primary, which the operator started, and its workers tell each other:
 * JSON, an array of these at a time.
 */
import * as Data from "effect/Data"
import { BadSetting, ListenFailed, OpenProxyRefused } from "../Errors.ts"
import type { Refusal } from "../server/Server.ts"
import type { Passed } from "../server/Systemd.ts"
import type { Judgement, Report } from "./Guessed.ts"
import type { Block } from "./Ids.ts"
import type { Claim, Ruling } from "./Lessor.ts"
import type { Answer, Call } from "./Roll.ts"
import type { Need, Share } from "./Sharer.ts"
import type { Token, Wish } from "./Tokens.ts"
import type { Moved, Sum } from "./Used.ts"

/** Where a worker listens, as it is written, and whether clients have to say who they are. */
export interface Open {
  readonly addresses: ReadonlyArray<string>
  readonly asksPassword: boolean
}

/** The files that settings are in, with what is in them. */
export type Texts = ReadonlyArray<readonly [path: string, text: string]>

export type ToPrimary =
  /** It is there, and waits to be welcomed. */
  | { readonly _tag: "hello" }
  /** It serves, now or after a reload. */
  | ({ readonly _tag: "serving" } & Open)
  /** It does not start, or does not change to other settings. */
  | { readonly _tag: "refused"; readonly error: Written }
  | Answer
  | Counted

export type ToWorker =
  | {
      readonly _tag: "welcome"
      readonly texts: Texts
      /** How it listens. */
      readonly reusePort: boolean
      readonly passed: ReadonlyArray<Passed>
      /** How many workers there are. */
      readonly count: number
      readonly ids: Block
      /** What is counted so far. */
      readonly news: ReadonlyArray<Count>
    }
  | { readonly _tag: "reload"; readonly texts: Texts }
  | Call
  | Count
  | { readonly _tag: "stop" }

/** What a worker counts, for all of them. */
export type Counted =
  /** Its sessions will need more numbers soon. */
  { readonly _tag: "ids" } | Claim | Wish | Report | Moved | Need

/** What all of them come to, as far as a worker has to know it. */
export type Count = { readonly _tag: "ids"; readonly ids: Block } | Ruling | Token | Judgement | Sum | Share

/** An error with what it carries. */
export interface Written {
  readonly _tag: string
  readonly message: string
}

/** A worker failed in a way that it should not have. */
export class WorkerFault extends Data.TaggedError("WorkerFault")<{ readonly message: string }> {}

export const write = (error: Error & { readonly _tag?: string }): Written => ({
  ...error,
  _tag: error._tag ?? "WorkerFault",
  message: error.message
})

/** The same error, made again. */
export const read = ({ _tag, message, ...fields }: Written): Refusal | WorkerFault => {
  switch (_tag) {
    case "BadSetting":
      return new BadSetting(fields as never)
    case "ListenFailed":
      return new ListenFailed(fields as never)
    case "OpenProxyRefused":
      return new OpenProxyRefused(fields as never)
    default:
      return new WorkerFault({ message })
  }
}
