/**
 * How workers learn that the primary has changed the users.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as UserChanges from "../../src/workers/UserChanges.ts"

interface Worker {
  readonly pid: number
  readonly send: (message: UserChanges.UsersChanged) => void
}

it.effect("a change is done when every worker has answered, has ended, or is late", () =>
  Effect.gen(function* () {
    const changes = UserChanges.make<Worker>()
    const told: Array<readonly [pid: number, revoked: ReadonlyArray<string>]> = []
    const workerOf = (pid: number, problems?: ReadonlyArray<string>): Worker => {
      const worker: Worker = {
        pid,
        send: ({ id, revoked }) => {
          told.push([pid, revoked])
          if (problems) changes.receive(worker, { _tag: "usersTaken", id, problems })
        }
      }
      changes.add(worker)
      return worker
    }
    workerOf(1, [])
    workerOf(2, [])
    assert.deepStrictEqual(yield* changes.tell(["bob"]), [])
    assert.deepStrictEqual(told.splice(0), [
      [1, ["bob"]],
      [2, ["bob"]]
    ])
    const ending = workerOf(3)
    workerOf(4)
    workerOf(5, ["line 2 is wrong"])
    workerOf(6, ["line 2 is wrong"])
    const telling = yield* Effect.forkChild(changes.tell([]), { startImmediately: true })
    changes.remove(ending)
    yield* TestClock.adjust("5 seconds")
    assert.deepStrictEqual(yield* Fiber.join(telling), ["worker 4 does not answer", "line 2 is wrong"])
  })
)
