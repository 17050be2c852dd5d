/**
 * Ignores `SIGUSR1`, at which Node would open its inspector, and closes an inspector
 * that is open already. Imported before everything else, so that no signal opens the
 * inspector.
 */
import * as Inspector from "../base/Inspector.ts"
import { workerVariable } from "./WorkerVariable.ts"

process.on("SIGUSR1", () => {})

// A worker's inspector would be another one, at a port that the other workers do not deny.
const isWanted = Inspector.isAskedFor() && process.env[workerVariable] === undefined
if (!isWanted) {
  Inspector.close()
  // A signal of a moment ago may open the inspector only now.
  setImmediate(Inspector.close)
}
