/**
 * The machines of the fleet: which of them are ready, and which to drain.
 */
import { sentence } from "../../src/admin/FleetDifferences.ts"
import * as Api from "../api.ts"
import { confirmed, done, h, setText, toast } from "../dom.ts"
import * as Format from "../format.ts"
import * as Table from "../table.ts"
import * as Tile from "../tile.ts"
import type { View } from "./view.ts"

export const make = (): View => {
  const tiles = {
    machines: Tile.make("Machines"),
    ready: Tile.make("Ready"),
    silent: Tile.make("No answer"),
    sessions: Tile.make("Open sessions")
  }
  const problem = h("p", { class: "problem", role: "alert" })
  const table = Table.make<Api.MachineRow>({
    caption: "Machines of the fleet",
    key: ({ id }) => id,
    columns: [
      { title: "Machine", text: ({ name, self }) => (self ? `${name} (this one)` : name) },
      { title: "State", text: stateOf, tone: ({ status }) => toneOf(status) },
      { title: "Leads", text: ({ status }) => leadsOf(status) },
      { title: "Version", text: ({ status }) => status?.version ?? "–" },
      { title: "Workers", text: ({ status }) => workersOf(status), isNumber: true },
      {
        title: "Sessions",
        text: ({ status }) => (status ? Format.count(status.sessions) : "–"),
        isNumber: true
      },
      {
        title: "Handshakes",
        text: ({ status }) => (status ? Format.count(status.handshakes) : "–"),
        isNumber: true
      },
      {
        title: "Age",
        text: ({ status }) => (status ? Format.age(Date.now() - status.startedAt) : "–"),
        isNumber: true
      }
    ],
    actions: [
      {
        title: "Drain or end drain",
        isHarmless: true,
        text: ({ status }) => (status?.draining ? "End drain" : "Drain"),
        isOffered: ({ status }) => status !== null,
        label: ({ name, status }) => `${status?.draining ? "End drain of" : "Drain"} ${name}`,
        run: async ({ id, name, status }) => {
          const isOn = status?.draining !== true
          if (isOn && !(await confirmed(`Tell load balancers that ${name} is not ready?`, "Drain"))) return
          await done(
            Api.drainMachine(id, isOn),
            isOn ? `${name} is not ready: it serves clients that still come.` : `${name} is ready.`
          )
          await refresh()
        }
      }
    ],
    empty: "No machine is known yet."
  })

  const refresh = async () => {
    const { machines, differences = [], storeLost } = await Api.fleet()
    const answers = machines.flatMap(({ status }) => status ?? [])
    tiles.machines.show(Format.count(machines.length))
    tiles.ready.show(Format.count(answers.filter(({ ready }) => ready).length))
    tiles.silent.show(Format.count(machines.length - answers.length))
    tiles.sessions.show(Format.count(answers.reduce((sum, { sessions }) => sum + sessions, 0)))
    setText(
      problem,
      storeLost
        ? "The fleet's store does not answer, so only this machine is here."
        : differences.map((each) => `The limit ${sentence(each)}.`).join(" ")
    )
    table.update(machines)
  }

  return {
    element: h(
      "div",
      {},
      Tile.list(tiles),
      h(
        "section",
        { class: "card" },
        h(
          "header",
          {},
          h("h2", {}, "Machines"),
          h("button", { type: "button", onclick: () => void reload() }, "Reload one by one")
        ),
        problem,
        table.element
      )
    ),
    every: 3000,
    refresh
  }
}

/** A machine drains because somebody has asked it to. */
const toneOf = (status: Api.MachineRow["status"]): Table.Tone =>
  status?.draining ? "plain" : status?.ready ? "good" : "bad"

const stateOf = ({ status }: Api.MachineRow): string => {
  if (status === null) return "no answer"
  return status.ready ? "ready" : status.draining ? "draining" : "not ready"
}

/** Unknown of a machine without an answer, and of a fleet without a leader. */
const leadsOf = (status: Api.MachineRow["status"]): string =>
  status?.leads === undefined ? "–" : status.leads ? "yes" : "no"

const workersOf = (status: Api.MachineRow["status"]): string =>
  status ? Format.count(Math.max(1, status.workers.length)) : "–"

const reload = async (): Promise<void> => {
  if (!(await confirmed("Have each machine read its settings again, one after the other?", "Reload"))) return
  await Api.reloadFleet().then(
    ({ reloaded, failed }) =>
      failed
        ? toast(`${failed.machine} keeps its earlier settings: ${failed.reason}`, true)
        : toast(`${Format.count(reloaded.length)} machines have read their settings again.`),
    (error: Error) => toast(error.message, true)
  )
}
