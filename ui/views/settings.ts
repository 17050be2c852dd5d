/**
 * The settings in force, limits, what the policy says of an access, and what can be done with the server.
 */
import * as Api from "../api.ts"
import { confirmed, fill, h, toast } from "../dom.ts"
import * as Table from "../table.ts"
import type { View } from "./view.ts"

export const make = (): View => {
  let rows: ReadonlyArray<Api.SettingRow> = []
  let [search, isAll] = ["", false]
  const table = Table.make<Api.SettingRow>({
    caption: "Settings in force",
    key: ({ name }) => name,
    columns: [
      { title: "Setting", text: ({ name }) => name },
      { title: "Value", text: ({ value }) => value },
      { title: "Description", text: ({ description }) => description.split(". ", 1)[0] ?? "" }
    ],
    empty: "No setting is other than its default, or has this in its name."
  })
  const show = () =>
    table.update(
      rows.filter(({ name, isDefault }) => (isAll || !isDefault) && name.includes(search.toLowerCase()))
    )
  const field = h("input", {
    type: "search",
    id: "search",
    placeholder: "Setting",
    autocomplete: "off",
    oninput: () => {
      search = field.value
      show()
    }
  })
  const all = h("input", {
    type: "checkbox",
    id: "all",
    onchange: () => {
      isAll = all.checked
      show()
    }
  })
  return {
    element: h(
      "div",
      {},
      actions(),
      explaining(),
      h(
        "section",
        { class: "card" },
        h("header", {}, h("h2", {}, "Settings in force")),
        h(
          "div",
          { class: "toolbar" },
          h("label", { for: "search", class: "hidden" }, "Search settings"),
          field,
          h("label", { class: "check", for: "all" }, all, "Defaults, too")
        ),
        table.element
      )
    ),
    every: 10_000,
    refresh: async () => {
      rows = await Api.settings()
      show()
    }
  }
}

const tried = async (what: Promise<unknown>, done: string): Promise<void> => {
  await what.then(
    () => toast(done),
    (error: Error) => toast(error.message, true)
  )
}

const actions = (): HTMLElement =>
  h(
    "section",
    { class: "card" },
    h("header", {}, h("h2", {}, "Server")),
    h(
      "div",
      { class: "buttons" },
      h(
        "button",
        { type: "button", onclick: () => void tried(Api.reload(), "The settings were read again.") },
        "Reload"
      ),
      h(
        "button",
        {
          type: "button",
          onclick: async () => {
            if (await confirmed("Tell load balancers that this server is not ready?", "Drain")) {
              await tried(Api.drain(true), "The server is not ready: it serves clients that still come.")
            }
          }
        },
        "Drain"
      ),
      h(
        "button",
        { type: "button", onclick: () => void tried(Api.drain(false), "The server is ready.") },
        "End drain"
      )
    )
  )

const explaining = (): HTMLElement => {
  const to = h("input", { id: "to", required: true, placeholder: "example.com:443", autocomplete: "off" })
  const user = h("input", { id: "user", placeholder: "alice", autocomplete: "off" })
  const answer = h("pre", { tabindex: "0", "aria-live": "polite", hidden: true })
  const form = h(
    "form",
    {
      class: "form",
      onsubmit: async (event) => {
        event.preventDefault()
        await Api.explain({ to: to.value, ...(user.value && { user: user.value }) }).then(
          ({ lines, verdict }) => {
            answer.hidden = false
            answer.className = verdict
            fill(answer, lines.join("\n"))
          },
          (error: Error) => toast(error.message, true)
        )
      }
    },
    h("div", {}, h("label", { for: "to" }, "Target"), to),
    h("div", {}, h("label", { for: "user" }, "User"), user),
    h("button", { class: "primary" }, "Explain")
  )
  return h(
    "section",
    { class: "card" },
    h("header", {}, h("h2", {}, "May a user reach a target?")),
    form,
    answer
  )
}
