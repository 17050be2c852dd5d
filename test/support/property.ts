/**
 * Runs properties: what holds for all values of a kind.
 *
 * `it.prop` of @effect/vitest takes schemas and effect's `Arbitrary`, which is made from schemas and constants only and
 * takes no arbitrary of fast-check. The properties here are about octets, actions in an order, and texts cut anywhere,
 * of a size that is chosen, and they shrink by that: no schema describes them. So a test states its property as
 * fast-check does, and all of them are run here.
 */
import * as fc from "fast-check"

/**
 * Fails with the smallest counterexample and its seed if there is one. Of an asynchronous property it is a promise.
 * 100 runs unless `numRuns` says otherwise.
 */
export const holds: typeof fc.assert = fc.assert
