/**
 * Ignores `SIGUSR1`, at which Node would open its inspector. Imported before all else,
 * as a signal must not open the inspector at any time. An inspector that is open by then
 * is closed.
 */
import * as Inspector from "../base/Inspector.ts"
import { mark } from "./Mark.ts"

process.on("SIGUSR1", () => {})

// A worker's would be one more, at a port that its siblings do not know of.
const isWanted = Inspector.isAskedFor() && process.env[mark] === undefined
if (!isWanted) {
  Inspector.close()
  // A signal that came just before may open it only now.
  setImmediate(Inspector.close)
}
