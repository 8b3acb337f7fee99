/** True for texts that one of the patterns matches; `*` stands for anything. */
export function anyOf(patterns: readonly string[]): (text: string) => boolean {
  if (patterns.length === 0) return () => false
  const source = patterns.map(pattern => pattern.split("*").map(part => RegExp.escape(part)).join(".*"))
  const regex = new RegExp(`^(?:${source.join("|")})$`, "s")
  return text => regex.test(text)
}
