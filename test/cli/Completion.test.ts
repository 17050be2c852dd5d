/**
 * Completion scripts: small, with the words of settings that have a fixed set of them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Completion from "../../src/cli/Completion.ts"
import { command } from "../../src/cli.ts"

describe("a completion script", () => {
  for (const shell of ["bash", "zsh", "fish", "powershell"] as const) {
    const script = Completion.script(command, shell)
    it(`for ${shell} is small`, () => assert.isBelow(script.length, 80 * 1024))
    it(`for ${shell} has settings, commands, and the words of a setting`, () => {
      for (const part of ["half-close-timeout", "hash-password", "pretty"]) assert.include(script, part)
    })
  }

  it("completes files to files, and directories to directories", () => {
    const script = Completion.script(command, "bash")
    assert.match(script, /--tls-cert\)\n +\S+paths -f /)
    assert.match(script, /--state-dir\)\n +\S+paths -d /)
  })
})
