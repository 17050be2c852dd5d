/**
 * What connects to upstreams, for tests in which there are none.
 */
import * as Layer from "effect/Layer"
import { ConnectionRefused } from "../../src/Errors.ts"
import * as Config from "../../src/server/Config.ts"
import { failingDialer } from "../../src/testing/index.ts"

export const connecting = Layer.merge(failingDialer(new ConnectionRefused()), Config.layer())
