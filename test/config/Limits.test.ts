/**
 * Limits as they are written in a file.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as Limits from "../../src/config/Limits.ts"

const read = Schema.decodeUnknownSync(Limits.schema, { onExcessProperty: "error" })
const write = Schema.encodeSync(Limits.schema)

const example = {
  sessions: 50,
  sessionRate: 10,
  upload: 2 * 2 ** 20,
  download: 10 * 2 ** 20,
  lifetime: Duration.hours(8),
  dailyQuota: 5 * 2 ** 30,
  monthlyQuota: 100 * 2 ** 30
}

describe("Limits", () => {
  it("are read as people write them", () => {
    assert.deepStrictEqual(
      read({
        sessions: 50,
        "session-rate": 10,
        upload: "2MiB",
        download: "10MiB/s",
        lifetime: "8h",
        "daily-quota": "5GiB",
        "monthly-quota": "100GiB"
      }),
      example
    )
  })

  it("may be left out, or off", () => {
    assert.deepStrictEqual(read({}), {})
    assert.deepStrictEqual(read({ sessions: "off", upload: "off", lifetime: "off", "daily-quota": "off" }), {
      sessions: Infinity,
      upload: Infinity,
      lifetime: Duration.infinity,
      dailyQuota: Infinity
    })
  })

  it("are the same when written and read again", () => {
    for (const limits of [example, { sessions: Infinity, lifetime: Duration.infinity }, {}]) {
      assert.deepStrictEqual(read(write(limits)), limits)
    }
  })

  it.each([
    [{ sessions: 0 }, /a whole number above 0, or off/],
    [{ sessions: 1.5 }, /a whole number above 0, or off/],
    [{ sessions: -1 }, /a whole number above 0, or off/],
    [{ "session-rate": "many" }, /a whole number above 0, or off/],
    [{ upload: "fast" }, /bytes a second such as .*, or off/],
    [{ "daily-quota": "5GiB/s" }, /a number of bytes such as .*, or off/],
    [{ "daily-quota": 0 }, /a number of bytes such as .*, or off/],
    [{ lifetime: 8 }, /a duration such as .*, or off/],
    [{ lifetime: null }, /lifetime/],
    [{ dailyQuota: "5GiB" }, /dailyQuota/],
    [{ speed: "5GiB" }, /speed/]
  ])("are not read from %j", (written, sentence) => {
    assert.throws(() => read(written), sentence)
  })
})
