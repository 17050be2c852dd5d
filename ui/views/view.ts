/**
 * A page of the dashboard.
 */
export interface View {
  readonly element: HTMLElement
  /** Fetches what the page shows. Called at first, and again while the page is looked at. */
  readonly refresh: () => Promise<void>
  /** Milliseconds between two refreshes; undefined for none. */
  readonly every?: number
  readonly close?: () => void
}
