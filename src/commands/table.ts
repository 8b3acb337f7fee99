/** Rows of text in aligned columns. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, String(cell).length)))
  return rows.map(row => row.map((cell, i) => String(cell).padEnd(widths[i]!)).join("  ").trimEnd()).join("\n")
}

/** "39 MB". */
export function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? "?" : `${Math.round(bytes / 1024 / 1024)} MB`
}

/** "3 d 4 h", "2 min", "5 s": the two largest units that matter. */
export function age(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const units = [[86_400, "d"], [3600, "h"], [60, "min"], [1, "s"]] as const
  const at = units.findIndex(([size]) => seconds >= size)
  if (at < 0) return "0 s"
  const [size, name] = units[at]!
  const next = units[at + 1]
  const rest = next === undefined ? 0 : Math.floor((seconds % size) / next[0])
  return `${Math.floor(seconds / size)} ${name}${rest === 0 ? "" : ` ${rest} ${next![1]}`}`
}
