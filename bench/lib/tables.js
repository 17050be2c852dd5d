// What was measured, as Markdown.
import { measures } from "./measures.js"
import { medianOf, ratioOf } from "./statistics.js"

/**
 * @param {readonly (readonly string[])[]} rows the first is the header; all columns but the first are numbers
 * @returns {string}
 */
export const table = (rows) => {
  const [header = [], ...body] = rows
  const rule = header.map((_, column) => (column === 0 ? "---" : "---:"))
  return [header, rule, ...body].map((cells) => `| ${cells.join(" | ")} |`).join("\n")
}

/** A number with commas. @param {number | undefined} value @param {number} digits */
export const number = (value, digits) =>
  value === undefined || !Number.isFinite(value)
    ? "–"
    : value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })

/**
 * A table for each group of measures: a row for each server, medians over the
 * rounds, and in parentheses how many times the bare Node proxy's a cost is.
 *
 * @param {readonly import("./statistics.js").Run[]} runs
 */
export const resultTables = (runs) => {
  const groups = [...new Set(measures.map(({ group }) => group))]
  return groups
    .flatMap((group) => {
      const shown = measures
        .filter((it) => it.group === group && runs.some(({ measure }) => measure === it.name))
        .map((it) => ({ ...it, figures: it.figures.filter(({ ratio }) => isThere(runs, it.name, ratio)) }))
      return shown.length === 0 ? [] : [`**${group}**\n\n${groupTable(runs, shown)}`]
    })
    .join("\n\n")
}

/**
 * @param {readonly import("./statistics.js").Run[]} runs @param {string} name of a measure
 * @param {import("./measures.js").Figure["ratio"]} ratio
 */
const isThere = (runs, name, ratio) =>
  ratio === undefined ||
  runs.some((run) => {
    const [, other] = ratio(run.server)
    return runs.some(({ server, measure }) => server === other && measure === name)
  })

/** @param {readonly import("./statistics.js").Run[]} runs @param {readonly import("./measures.js").Measure[]} shown */
const groupTable = (runs, shown) => {
  const names = shown.map(({ name }) => name)
  const servers = [
    ...new Set(runs.filter(({ measure }) => names.includes(measure)).map(({ server }) => server))
  ]
  const header = shown.flatMap((measure) =>
    measure.figures.map(({ title }) =>
      measure.figures[0]?.title === title ? `${measure.title}: ${title}` : title
    )
  )
  const body = servers.map((server) => [server, ...cells(runs, server, shown)])
  return [table([["server", ...header], ...body]), ...troubles(runs, names)].join("\n\n")
}

/** @param {readonly import("./statistics.js").Run[]} runs @param {readonly string[]} names of measures */
const troubles = (runs, names) => {
  const lines = runs.flatMap(({ round, server, measure, figures, failure }) => {
    const trouble = failure ?? (figures?.errors ? `${figures.errors} sessions failed` : undefined)
    return trouble !== undefined && names.includes(measure)
      ? [`* ${server}, ${measure}, round ${round}: ${trouble}`]
      : []
  })
  return lines.length > 0 ? [lines.join("\n")] : []
}

/**
 * @param {readonly import("./statistics.js").Run[]} runs @param {string} server
 * @param {readonly import("./measures.js").Measure[]} shown
 */
const cells = (runs, server, shown) =>
  shown.flatMap((measure) => {
    const baseline = measure.group === "udp" ? "node-udp" : "node-pipe"
    return measure.figures.map(({ field, digits, scale = 1, isCost, ratio: between }) => {
      if (between) return number(ratioOf(runs, ...between(server), measure.name, field), digits)
      const value = medianOf(runs, server, measure.name, field)
      const ratio = isCost ? ratioOf(runs, server, baseline, measure.name, field) : undefined
      const text = number(value === undefined ? undefined : value * scale, digits)
      return ratio === undefined ? text : `${text} (${ratio.toFixed(2)}×)`
    })
  })

/**
 * Bars of characters, the longest for the greatest value.
 *
 * @param {readonly (readonly [label: string, value: number])[]} values
 * @param {(value: number) => string} [show]
 */
export const bars = (values, show = (value) => number(value, 1)) => {
  const most = Math.max(...values.map(([, value]) => value), Number.MIN_VALUE)
  const width = Math.max(...values.map(([label]) => label.length))
  return values
    .map(
      ([label, value]) =>
        `${label.padEnd(width)}  ${"█".repeat(Math.round((value / most) * 40))} ${show(value)}`
    )
    .join("\n")
}
