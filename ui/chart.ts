/**
 * The chart of traffic: bytes a second, up and down, in the last minutes.
 */
import uPlot from "uplot"
import type { Sample } from "./api.ts"
import * as Format from "./format.ts"

/** Seconds, bytes a second up, and down. */
type Series = [Array<number>, Array<number>, Array<number>]

export const seriesOf = (samples: ReadonlyArray<Sample>): Series => {
  const series: Series = [[], [], []]
  for (const [index, sample] of samples.entries()) {
    const before = samples[index - 1]
    if (before === undefined) continue
    const seconds = Math.max(0.001, (sample.at - before.at) / 1000)
    series[0].push(sample.at / 1000)
    series[1].push(Math.max(0, (sample.sent - before.sent) / seconds))
    series[2].push(Math.max(0, (sample.received - before.received) / seconds))
  }
  return series
}

export interface Chart {
  readonly update: (samples: ReadonlyArray<Sample>) => void
  readonly close: () => void
}

/** Draws into an element, in the colours of the theme, as wide as the element. */
export const make = (element: HTMLElement): Chart => {
  let series: Series = [[], [], []]
  let plot: uPlot | undefined
  const width = () => Math.max(200, element.clientWidth)
  const draw = () => {
    plot?.destroy()
    plot = new uPlot(options(width()), series, element)
  }
  const resized = new ResizeObserver(() => plot?.setSize({ width: width(), height }))
  const themed = new MutationObserver(draw)
  draw()
  resized.observe(element)
  themed.observe(document.documentElement, { attributeFilter: ["data-theme"] })
  return {
    update: (samples) => {
      series = seriesOf(samples)
      plot?.setData(series)
    },
    close: () => {
      resized.disconnect()
      themed.disconnect()
      plot?.destroy()
    }
  }
}

const height = 240

const options = (width: number): uPlot.Options => {
  const style = getComputedStyle(document.documentElement)
  const color = (name: string) => style.getPropertyValue(name).trim()
  const axis = {
    stroke: color("--muted"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false }
  }
  const line = (label: string, name: string) => ({
    label,
    stroke: color(`--${name}`),
    fill: color(`--${name}-fill`),
    width: 2,
    points: { show: false },
    value: (_: uPlot, value: number | null) => (value === null ? "-" : Format.rate(value))
  })
  return {
    width,
    height,
    padding: [12, 28, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { setScale: false, x: false, y: false } },
    scales: { y: { range: (_, __, max) => [0, Math.max(1024, max * 1.1)] } },
    axes: [
      { ...axis, size: 30, space: 90, values: (_, times) => times.map((at) => timeOf(at, times)) },
      { ...axis, size: 84, incrs: powers, values: (_, values) => values.map((value) => Format.rate(value)) }
    ],
    series: [{}, line("Up", "up"), line("Down", "down")]
  }
}

/** Steps of bytes a second: the units are powers of two. */
const powers = Array.from({ length: 48 }, (_, power) => 2 ** power)

/** With seconds, where times in the same minute have labels. */
const timeOf = (seconds: number, [first = 0, second = 60]: ReadonlyArray<number>): string =>
  new Date(seconds * 1000).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    ...(second - first < 60 && { second: "2-digit" })
  })
