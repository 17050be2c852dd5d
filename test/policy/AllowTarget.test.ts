/**
 * What is opened, and whether names may lead to this machine by it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as TargetPattern from "../../src/config/TargetPattern.ts"
import * as AllowTarget from "../../src/policy/AllowTarget.ts"

const read = (text: string) =>
  Option.match(AllowTarget.fromString(text), {
    onNone: () => "none",
    onSome: (target) => `${TargetPattern.format(target)}${AllowTarget.opensLocal(target) ? ", local" : ""}`
  })

describe("AllowTarget", () => {
  it.each([
    ["db.example", "db.example"],
    ["10.0.0.0/8:443", "10.0.0.0/8:443"],
    ["127.0.0.1", "127.0.0.1"],
    ["*", "*"],
    ["localhost", "localhost, local"],
    ["LOCALHOST.:80", "localhost:80, local"],
    ["*.localhost", "*.localhost, local"],
    ["app.localhost", "app.localhost, local"],
    ["localhost.example", "localhost.example"],
    ["notlocalhost", "notlocalhost"],
    ["local:db.example", "db.example, local"],
    ["local:db.example:5432", "db.example:5432, local"],
    ["local:*.example:1-9", "*.example:1-9, local"],
    ["local:*", "*, local"],
    ["local:**", "**, local"],
    // A host whose name that is.
    ["local", "local"],
    ["local:80", "local:80"],
    ["local:80-90", "local:80-90"],
    ["local:local:80", "local:80, local"],
    ["local:", "none"],
    ["local:127.0.0.1", "none"],
    ["local:10.0.0.0/8", "none"],
    ["local:[::1]:80", "none"],
    ["local:local:db.example", "none"],
    ["remote:db.example", "none"]
  ])("%s is %s", (text, expected) => {
    assert.strictEqual(read(text), expected)
  })
})
