/**
 * Calls of the scripts about slots.
 */
import type { Answer } from "./FleetStore.ts"
import type { Membership } from "./Membership.ts"
import type { Script } from "./Script.ts"

/** Runs a script on the slots of a bucket. */
export const call = <Reply>(
  { store, keys }: Membership,
  script: Script<Reply>,
  bucket: number,
  args: ReadonlyArray<string | number>,
  answer: Answer<Reply>
): void => store.call(script, [keys.ofBucket("slots", bucket), keys.ofBucket("epoch", bucket)], args, answer)
