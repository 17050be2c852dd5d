/**
 * What a machine tells the others of itself, and whether it can be in one fleet with them.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { printable } from "../wire/Text.ts"

export interface Told {
  readonly name: string
  /** Milliseconds since the epoch, by the machine's clock. */
  readonly startedAt: number
  /** Milliseconds for which its leases hold. */
  readonly lease: number
  /** The format of what it keeps in the store. */
  readonly format: number
}

/** The format of all that is kept in the store and sent over it: raised where earlier versions do not understand it. */
const format = 1

export const make = (name: string, lease: Duration.Duration, startedAt: number): Told => ({
  ...{ name, startedAt, format },
  lease: Duration.toMillis(lease)
})

/** The first versions told no lease and no format, and kept other things. */
const Others = Schema.fromJsonString(
  Schema.Struct({
    ...{ name: Schema.String, startedAt: Schema.Finite },
    ...{ lease: Schema.optionalKey(Schema.Finite), format: Schema.optionalKey(Schema.Finite) }
  })
)

/**
 * Why a machine cannot join the machines that have told this. With another lease it would renew too late in a store that was
 * emptied, which leases to others after the time of theirs. A text that cannot be read was written by no machine, and is passed over.
 */
export const conflict = (own: Told, others: ReadonlyArray<string>): string | undefined => {
  for (const text of others) {
    const other = Option.getOrUndefined(Schema.decodeUnknownOption(Others)(text))
    if (other === undefined) continue
    const name = printable(other.name, 40)
    if (other.format !== own.format) {
      return `the machine ${name} is of a version that keeps other things in the store, so this machine needs another --fleet-prefix`
    }
    if (other.lease !== undefined && other.lease !== own.lease) {
      return `the machine ${name} has --fleet-lease ${seconds(other.lease)}, and this machine ${seconds(own.lease)}: all machines need the same`
    }
  }
  return undefined
}

const seconds = (milliseconds: number): string => `${milliseconds / 1000}s`
