import type { Child } from "hono/jsx"

/** Lines on a 24 x 24 grid, drawn for this admin. Beside text they say nothing to a screen reader. */
const PATHS = {
  home: "M4 11 12 4l8 7v8a1 1 0 0 1-1 1h-4v-6H9v6H5a1 1 0 0 1-1-1z",
  table: "M4 5h16v14H4zM4 10h16M4 14.5h16M10 10v9",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20c.6-3.4 3.2-5.5 6.5-5.5s5.9 2.1 6.5 5.500M16 4.300a3.5 3.5 0 0 1 0 6.500M18 15c2 .8 3.2 2.6 3.5 5",
  key: "M8 19a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM11.5 11.5 20 3M16 7l3 3",
  document: "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
  tag: "M4 4h8l8.5 8.5-7.5 7.500L4.5 11.500zM8.5 8.500h.01",
  comment: "M4 5h16v11h-9l-5 4v-4H4z",
  image: "M4 5h16v14H4zM4 16l4.5-4.5 4 4 3-3L20 16M15.5 9.500h.01",
  cart: "M3 4h3l2.5 11h9L20 7.500H7M9.5 19.500h.01M16.5 19.500h.01",
  calendar: "M4 6h16v14H4zM4 10.500h16M8.5 3.500V8M15.5 3.500V8",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 9.500a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM9 19.500a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z",
  mail: "M3.5 6h17v12h-17zM3.5 7.500l8.5 6 8.5-6",
  chart: "M4 4v16h16M8.5 16v-5M13 16V7M17.5 16v-7",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM15.5 15.5 20.5 20.5",
  plus: "M12 5v14M5 12h14",
  check: "M5 12.5 10 17.5 19.5 7",
  close: "M6 6l12 12M18 6 6 18",
  menu: "M4 7h16M4 12h16M4 17h16",
  down: "M6.5 9.5 12 15l5.5-5.5",
  up: "M6.5 14.5 12 9l5.5 5.5",
  left: "M14.5 6.5 9 12l5.5 5.5",
  right: "M9.5 6.5 15 12l-5.5 5.5",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 2.500v2M12 19.500v2M2.5 12h2M19.5 12h2M5.3 5.300l1.4 1.400M17.3 17.300l1.4 1.400M5.3 18.700l1.4-1.400M17.3 6.700l1.4-1.4",
  moon: "M19.5 14.500A8 8 0 0 1 9.5 4.500a8 8 0 1 0 10 10Z",
  half: "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16ZM12 4v16",
  external: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  clock: "M12 20.500a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM12 7v5.500l3.5 2",
  trash: "M4.5 6.500h15M9 6.500V4h6v2.500M6.5 6.5 7.5 20h9l1-13.500M10.5 10.500v6M13.5 10.500v6",
  pencil: "M4 20l1-4.500L16.5 4 20 7.5 8.5 19zM14 6.5 17.5 10",
  bolt: "M13 3 5 13.500h6L10.5 21 19 10h-6z",
  download: "M12 4v11M7.5 11 12 15.5 16.5 11M4.5 20h15",
  filter: "M4 6h16M7 12h10M10.5 18h3",
  logout: "M14 4H5v16h9M10 12h10.500M17 8.5 20.5 12 17 15.5",
  keyboard: "M3 6.500h18v11H3zM6.5 10h.01M10 10h.01M14 10h.01M17.5 10h.01M8 14h8",
  info: "M12 20.500a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM12 11v5M12 8h.01",
  warning: "M12 4 2.5 20h19zM12 10v4.500M12 17.200h.01",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
} as const

export type Glyph = keyof typeof PATHS

export function Icon({ name, size = 18 }: { name: Glyph; size?: number }): Child {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  )
}
