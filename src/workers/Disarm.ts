/**
 * Takes `SIGUSR1`, at which Node would open its inspector, for something that does
 * nothing. Imported before all else, for from the first moment on there is nobody
 * who should be able to open it: what was opened before that is closed.
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
