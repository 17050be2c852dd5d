/**
 * Elements of the page. Texts are only ever text nodes and attributes, so that nothing a client sent is markup.
 */

type Child = Node | string | number | undefined | false

type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: Event) => void)>>

/** An element with these attributes and children. An attribute `onclick` listens to that event. */
export const h = <Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: ReadonlyArray<Child>
): HTMLElementTagNameMap[Tag] => {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value)
    else if (value === true) element.setAttribute(name, "")
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value))
  }
  append(element, children)
  return element
}

const append = (element: Node, children: ReadonlyArray<Child>): void => {
  for (const child of children) {
    if (child === undefined || child === false) continue
    element.appendChild(typeof child === "object" ? child : document.createTextNode(String(child)))
  }
}

/** Replaces the children. */
export const fill = (element: Element, ...children: ReadonlyArray<Child>): void => {
  element.replaceChildren()
  append(element, children)
}

/** Sets a text, if it is another one. */
export const setText = (element: Node, text: string): void => {
  if (element.textContent !== text) element.textContent = text
}

const svgNamespace = "http://www.w3.org/2000/svg"

/** An icon of lines, which screen readers leave out. */
export const icon = (path: string): SVGSVGElement => {
  const svg = document.createElementNS(svgNamespace, "svg")
  svg.setAttribute("viewBox", "0 0 24 24")
  svg.setAttribute("aria-hidden", "true")
  svg.setAttribute("class", "icon")
  const line = document.createElementNS(svgNamespace, "path")
  line.setAttribute("d", path)
  svg.appendChild(line)
  return svg
}

const mostToasts = 4

/** A short message at the edge of the page, which screen readers say. */
export const toast = (message: string, isProblem = false): void => {
  const region = document.getElementById("toasts")
  if (region === null) return
  const element = h("div", { class: isProblem ? "toast problem" : "toast" }, message)
  region.append(element)
  // In a flood of bans only the latest.
  while (region.childElementCount > mostToasts) region.firstElementChild?.remove()
  setTimeout(() => element.remove(), isProblem ? 8000 : 4000)
}

/** Waits until something is done, and says that it is, or why not. Returns whether it is. */
export const done = (what: Promise<unknown>, message: string): Promise<boolean> =>
  what.then(
    () => {
      toast(message)
      return true
    },
    (error: Error) => {
      toast(error.message, true)
      return false
    }
  )

/** Asks before something is done that cannot be undone. */
export const confirmed = async (question: string, action: string): Promise<boolean> =>
  (await asked(question, h("button", { class: "danger" }, action))) !== undefined

/** Asks for a password. */
export const passwordFor = (question: string, action: string): Promise<string | undefined> =>
  asked(
    question,
    h("button", { class: "primary" }, action),
    h("input", {
      type: "password",
      name: "answer",
      required: true,
      autocomplete: "new-password",
      "aria-labelledby": "question"
    })
  )

/** The text of the field, or a text without one; undefined if it was cancelled. */
const asked = (
  question: string,
  yes: HTMLButtonElement,
  field?: HTMLInputElement
): Promise<string | undefined> =>
  new Promise((resolve) => {
    const close = (answer: string | undefined) => {
      dialog.close()
      dialog.remove()
      before?.focus()
      resolve(answer)
    }
    const before = document.activeElement instanceof HTMLElement ? document.activeElement : undefined
    const dialog = h(
      "dialog",
      {
        "aria-labelledby": "question",
        oncancel: (event) => {
          event.preventDefault()
          close(undefined)
        }
      },
      h(
        "form",
        {
          onsubmit: (event) => {
            event.preventDefault()
            close(field?.value ?? "")
          }
        },
        h("p", { id: "question" }, question),
        field,
        h(
          "div",
          { class: "buttons" },
          h("button", { type: "button", onclick: () => close(undefined) }, "Cancel"),
          yes
        )
      )
    )
    document.body.append(dialog)
    dialog.showModal()
  })
