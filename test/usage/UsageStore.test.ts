/**
 * The store in memory.
 */
import { describe, it } from "@effect/vitest"
import * as UsageStore from "../../src/usage/UsageStore.ts"
import { conforms } from "../support/stores.ts"

describe("a store in memory", () => {
  it.effect("passes the tests of all stores", () => conforms(UsageStore.makeMemory()))
})
