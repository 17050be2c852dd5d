/**
 * Tables whose rows are kept: a refresh changes texts in place, so that the focus and a selection stay.
 */
import { h, setText } from "./dom.ts"

export type Tone = "good" | "bad" | "plain"

export interface Column<in Row> {
  readonly title: string
  readonly text: (row: Row) => string
  readonly isNumber?: boolean
  /** How good it is: then it is a pill of that colour. */
  readonly tone?: (row: Row) => Tone
  /** The name by which the server sorts. */
  readonly sort?: string
}

export interface Action<in Row> {
  readonly title: string
  /** The text of the button; by default the title. */
  readonly text?: (row: Row) => string
  /** Whether nothing is lost by it. */
  readonly isHarmless?: boolean
  /** Whether there is a button. */
  readonly isOffered?: (row: Row) => boolean
  /** What the button does, for screen readers. */
  readonly label: (row: Row) => string
  readonly run: (row: Row) => void
}

interface Options<Row> {
  readonly caption: string
  readonly key: (row: Row) => string
  readonly columns: ReadonlyArray<Column<Row>>
  readonly actions?: ReadonlyArray<Action<Row>>
  readonly onSort?: (sort: string) => void
  readonly empty: string
}

export interface Table<in Row> {
  readonly element: HTMLElement
  readonly update: (rows: ReadonlyArray<Row>) => void
  readonly showSort: (sort: string, isDescending: boolean) => void
}

interface Kept<Row> {
  row: Row
  readonly line: HTMLTableRowElement
  readonly cells: ReadonlyArray<HTMLTableCellElement>
  /** The elements with the texts: a cell, or a pill in it. */
  readonly places: ReadonlyArray<HTMLElement>
  readonly buttons: ReadonlyArray<HTMLButtonElement>
}

export const make = <Row>({
  caption,
  key,
  columns,
  actions = [],
  onSort,
  empty
}: Options<Row>): Table<Row> => {
  const heads = columns.map(({ title, sort, isNumber }) =>
    h(
      "th",
      { scope: "col", class: isNumber ? "number" : undefined },
      sort && onSort
        ? h("button", { type: "button", class: "sort", onclick: () => onSort(sort) }, title)
        : title
    )
  )
  const body = h("tbody")
  const nothing = h("p", { class: "empty" }, empty)
  const table = h(
    "table",
    {},
    h("caption", { class: "hidden" }, caption),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ...heads,
        actions.length > 0 &&
          h(
            "th",
            { scope: "col" },
            h("span", { class: "hidden" }, actions.map(({ title }) => title).join(", "))
          )
      )
    ),
    body
  )
  const kept = new Map<string, Kept<Row>>()

  const add = (row: Row): Kept<Row> => {
    const cells = columns.map(({ title, isNumber }) =>
      h("td", { "data-title": title, class: isNumber ? "number" : undefined })
    )
    const buttons = actions.map((action) =>
      h(
        "button",
        {
          type: "button",
          class: action.isHarmless ? "small" : "small danger",
          onclick: () => action.run(entry.row)
        },
        action.title
      )
    )
    const places = columns.map(({ tone }, at) =>
      tone ? cells[at]!.appendChild(h("span", { class: "pill" })) : cells[at]!
    )
    const line = h("tr", {}, ...cells, buttons.length > 0 && h("td", { class: "action" }, ...buttons))
    const entry: Kept<Row> = { row, line, cells, places, buttons }
    return entry
  }

  return {
    element: h(
      "div",
      { class: "table", tabindex: "0", role: "region", "aria-label": caption },
      table,
      nothing
    ),
    update: (rows) => {
      const keys = new Set(rows.map(key))
      for (const [name, { line }] of kept) {
        if (keys.has(name)) continue
        line.remove()
        kept.delete(name)
      }
      for (const [index, row] of rows.entries()) {
        const name = key(row)
        const entry = kept.get(name) ?? add(row)
        kept.set(name, entry)
        entry.row = row
        for (const [at, column] of columns.entries()) {
          const text = column.text(row)
          const place = entry.places[at]!
          if (column.tone) place.className = `pill ${column.tone(row)}`
          if (place.textContent === text) continue
          place.textContent = text
          entry.cells[at]!.title = text
        }
        for (const [at, action] of actions.entries()) {
          const button = entry.buttons[at]!
          setText(button, action.text?.(row) ?? action.title)
          button.setAttribute("aria-label", action.label(row))
          button.hidden = !(action.isOffered?.(row) ?? true)
        }
        if (body.children[index] !== entry.line) body.insertBefore(entry.line, body.children[index] ?? null)
      }
      nothing.hidden = rows.length > 0
      table.hidden = rows.length === 0
    },
    showSort: (sort, isDescending) => {
      for (const [index, column] of columns.entries()) {
        if (column.sort === sort)
          heads[index]!.setAttribute("aria-sort", isDescending ? "descending" : "ascending")
        else heads[index]!.removeAttribute("aria-sort")
      }
    }
  }
}
