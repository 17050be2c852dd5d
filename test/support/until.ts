/**
 * Waiting for what announces itself in no other way.
 */
import * as Effect from "effect/Effect"

/** Looks every 10 ms, until there is something to be had. */
export const until = <A>(look: () => A | undefined | false): Effect.Effect<A> =>
  Effect.suspend(() => {
    const found = look()
    return found === undefined || found === false
      ? Effect.andThen(Effect.sleep("10 millis"), until(look))
      : Effect.succeed(found)
  })
