/** `$PORT`, `${SOCKET}` and the like, as a config writes them, in the form that a launch knows. No shell does it. */
export function placeholders(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, text]) => [name, place(text)]))
}

function place(text: string): string {
  return text.replaceAll(/\$(?:\{(PORT|SOCKET)\}|(PORT|SOCKET)\b)/g, (_, braced?: string, bare?: string) =>
    (braced ?? bare) === "PORT" ? "{port}" : "{socket}",
  )
}
